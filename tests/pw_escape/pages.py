"""A sandbox with Playwright and a browser, without some named mechanisms."""

import errno
import re
from pathlib import Path
from typing import Any

from pw_sandbox import sandboxes
from pw_sandbox.sandboxes import AgentSandbox, RaisedInside

from pageworker_sandbox.launch import Host
from pageworker_sandbox.launch.sandboxed_process import SandboxedProcess
from pw_escape import mechanisms as m

BROWSERS = {"page": sandboxes.FULL, "shell": sandboxes.HEADLESS}
START = """
import asyncio, errno, os, time
from pageworker_sandbox import confine
confine.watch_children_without_threads()
if programs: confine.allow_exec(programs)
from playwright.async_api import async_playwright
playwright = await async_playwright().start()
context = await playwright.chromium.launch_persistent_context(
    "/profile", executable_path=browser, chromium_sandbox=True, headless=True, timeout=30000, **options)
page = context.pages[0]

class Missed(Exception):
    "The attack was not refused, and got nothing."

async def opened(url):
    page = await context.new_page()
    await page.goto(url, timeout=4000, wait_until="commit")
    # Left open: to close a page that has only just begun to load hangs now and then.

async def started(program, *arguments, **options):
    "Have the driver start a program that leaves a proof."
    proof = f"/profile/proof-{time.monotonic_ns()}"
    arguments = [word.replace("PROOF", proof) for word in arguments]

    async def launch():
        other = await playwright.chromium.launch(executable_path=program, args=arguments, timeout=5000, **options)
        await (await other.new_page(no_viewport=True)).goto("data:text/html,x", timeout=2000)

    launching = asyncio.get_running_loop().create_task(launch())
    for _ in range(100):
        await asyncio.wait([launching], timeout=0.05)
        if os.path.exists(proof) or launching.done(): break
    launching.cancel()
    said = str((await asyncio.gather(launching, return_exceptions=True))[0])
    # What an odd flag has started goes round in circles.
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if proof.encode() in open(f"/proc/{pid}/cmdline", "rb").read(): os.kill(int(pid), 9)
        except OSError: continue
    if os.path.exists(proof): return
    for word, number in (("EACCES", errno.EACCES), ("doesn't exist", errno.ENOENT), ("EPERM", errno.EPERM)):
        if word in said: raise OSError(number, said)
    raise Missed(said)
"""


async def begin(process: SandboxedProcess, host: Host, browser: Path, without: frozenset[str]) -> AgentSandbox:
    """Start the browser. Raises RaisedInside."""
    inside = AgentSandbox(process)
    port = await inside.listen()
    # No process accepts on the port, so every request by way of the proxy is refused at once.
    if inside.listener is not None:
        inside.listener.close()
        inside.listener = None
    options: dict[str, Any] = {}
    if m.PROXY not in without:
        options = {"proxy": {"server": f"http://127.0.0.1:{port}"}, "args": ["--proxy-bypass-list=<-loopback>"]}
    programs = [] if m.LAYER_1 in without else ["/opt/pageworker/site/playwright/driver/node", str(browser.parent)]
    await inside.run(START, browser=str(browser), programs=programs, options=options)
    return inside


async def attack(inside: AgentSandbox, before: str, code: str, names: dict[str, Any]) -> dict[str, str]:
    """Run an attack. Returns its outcome."""
    try:
        await inside.run(before + "\n" + code, **names)
    except RaisedInside as refused:
        text = str(refused)
        found = re.search(r"net::(ERR_\w+)", text) or re.search(r"\b(E[A-Z]{3,})\b", text)
        kind = errno.errorcode[refused.errno] if refused.errno else found[1] if found else refused.kind
        return {"kind": kind, "text": text}
    return {"kind": "", "text": ""}

"""What Chromium and the kernel report about the browser's own sandbox. Read before the runner gives up file access."""

import asyncio
import re
from pathlib import Path

from playwright.async_api import BrowserContext, Page
from playwright.async_api import Error as BrowserError

FACTS = re.compile(r"^(Seccomp|NoNewPrivs):\s+(\d+)$", re.MULTILINE)
SANDBOXED = "renderer: NoNewPrivs 1, Seccomp 2"
NO_RENDERER = "no renderer found"
SETTLE_SECONDS = 5.0
POLL_SECONDS = 0.02


async def chromium_sandbox(context: BrowserContext, browser: Path) -> str:
    """The summary line of chrome://sandbox. The headless shell has no such page: there, what the kernel reports.

    The renderer of the browser's first page tells that. Another page would cost 0.15 s of processor time.
    The page is closed, not sent elsewhere: leaving chrome://sandbox for another document crashed the full browser
    (version 156) in one of forty starts on a busy host.
    """
    # The name tells, as in `pageworker_sandbox.flavor`, which a runner's root does not hold.
    if "headless" in browser.name and context.pages:
        return await settled_renderer_facts()
    page = await context.new_page()
    # Before the page is closed: its renderer may be the only one.
    found = await _summary(page) or await settled_renderer_facts()
    await page.close()
    return found


async def _summary(page: Page) -> str | None:
    try:
        await page.goto("chrome://sandbox")
        text = await page.inner_text("body")
    except BrowserError:
        return None
    return next((line.strip()[:500] for line in text.splitlines() if "sandboxed" in line), None)


async def settled_renderer_facts(proc: Path = Path("/proc"), seconds: float = SETTLE_SECONDS) -> str:
    """The facts once every renderer is sandboxed, or those of one that is not after some seconds.

    A renderer has its name for a moment before it has its filter, and the browser starts a spare one at any time. /proc
    sends no event for that.
    """
    for _ in range(round(seconds / POLL_SECONDS)):
        if renderer_facts(proc) == SANDBOXED:
            break
        await asyncio.sleep(POLL_SECONDS)
    return renderer_facts(proc)


def renderer_facts(proc: Path = Path("/proc")) -> str:
    """Seccomp mode and no_new_privs of this browser's renderers: SANDBOXED, or those of one that differs. Source:
    proc(5)."""
    found = []
    for status in sorted(proc.glob("[0-9]*/status")):
        try:
            if b"--type=renderer" in (status.parent / "cmdline").read_bytes():
                facts = FACTS.findall(status.read_text())
                found.append("renderer: " + ", ".join(f"{name} {value}" for name, value in facts))
        except OSError:
            # The process has ended.
            continue
    return next((facts for facts in found if facts != SANDBOXED), found[0] if found else NO_RENDERER)

"""What the kernel and Chromium say about the browser's own sandbox, read before the runner gives up its sight."""

import re
from pathlib import Path

from playwright.async_api import BrowserContext, Page
from playwright.async_api import Error as BrowserError

FACTS = re.compile(r"^(Seccomp|NoNewPrivs):\s+(\d+)$", re.MULTILINE)


async def chromium_sandbox(context: BrowserContext) -> str:
    """The verdict of chrome://sandbox; the headless shell has no such page: what the kernel says of a renderer.

    The page that is asked is closed, not sent elsewhere: leaving chrome://sandbox for another document crashed one
    full browser (version 156) in forty on a busy host.
    """
    page = await context.new_page()
    said = await _verdict(page)
    await page.close()
    return said or renderer_facts()


async def _verdict(page: Page) -> str | None:
    try:
        await page.goto("chrome://sandbox")
        text = await page.inner_text("body")
    except BrowserError:
        return None
    return next((line.strip()[:500] for line in text.splitlines() if "sandboxed" in line), None)


def renderer_facts(proc: Path = Path("/proc")) -> str:
    """Seccomp mode and no_new_privs of a renderer of ours, from /proc. Source: proc(5)."""
    for status in sorted(proc.glob("[0-9]*/status")):
        try:
            if b"--type=renderer" in (status.parent / "cmdline").read_bytes():
                return "renderer: " + ", ".join(f"{name} {value}" for name, value in FACTS.findall(status.read_text()))
        except OSError:
            # It ended meanwhile.
            continue
    return "no renderer found"

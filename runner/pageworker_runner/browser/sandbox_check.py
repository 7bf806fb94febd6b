"""What Chromium and the kernel report about the browser's own sandbox. Read before the runner gives up file access."""

import re
from pathlib import Path

from playwright.async_api import BrowserContext, Page
from playwright.async_api import Error as BrowserError

FACTS = re.compile(r"^(Seccomp|NoNewPrivs):\s+(\d+)$", re.MULTILINE)


async def chromium_sandbox(context: BrowserContext) -> str:
    """The summary line of chrome://sandbox. The headless shell has no such page: there, what the kernel reports.

    The page is closed, not sent elsewhere: leaving chrome://sandbox for another document crashed the full browser
    (version 156) in one of forty starts on a busy host.
    """
    page = await context.new_page()
    # Before the page is closed: its renderer may be the only one.
    found = await _summary(page) or renderer_facts()
    await page.close()
    return found


async def _summary(page: Page) -> str | None:
    try:
        await page.goto("chrome://sandbox")
        text = await page.inner_text("body")
    except BrowserError:
        return None
    return next((line.strip()[:500] for line in text.splitlines() if "sandboxed" in line), None)


def renderer_facts(proc: Path = Path("/proc")) -> str:
    """Seccomp mode and no_new_privs of one of this browser's renderers. Source: proc(5)."""
    for status in sorted(proc.glob("[0-9]*/status")):
        try:
            if b"--type=renderer" in (status.parent / "cmdline").read_bytes():
                return "renderer: " + ", ".join(f"{name} {value}" for name, value in FACTS.findall(status.read_text()))
        except OSError:
            # The process has ended.
            continue
    return "no renderer found"

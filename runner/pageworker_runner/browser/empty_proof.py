"""Proves that a new ephemeral browser context is empty: before the browser starts, and after."""

from pathlib import Path

from playwright.async_api import BrowserContext

from pageworker_runner.task_ownership import own_work


def files_in(profile: Path) -> int:
    """Files and folders in the browser's folder. 0 before its first start: nothing of another one is there."""
    return sum(1 for _ in profile.iterdir()) if profile.is_dir() else 0


async def stored_in(context: BrowserContext) -> dict[str, str]:
    """Numbers of cookies, and of origins that the context knows storage of. Raises Playwright's Error."""
    with own_work():
        state = await context.storage_state()
    return {"cookies": str(len(state["cookies"])), "stored_origins": str(len(state["origins"]))}

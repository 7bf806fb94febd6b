"""Dialogs of a page that wait for an answer."""

from playwright._impl.dialog import Dialog
from playwright.async_api import Page

from pageworker_runner.pages.playwright_internals.client_objects import impl_of


def has_open_dialog(page: Page) -> bool:
    """Whether a dialog of this page waits for an answer."""
    return bool(_open_dialogs(page))


async def dismiss_dialogs(page: Page) -> None:
    """Close the dialogs that wait for an answer. Raises Playwright's Error."""
    for dialog in _open_dialogs(page):
        await dialog.dismiss()


def _open_dialogs(page: Page) -> list[Dialog]:
    return [child for child in impl_of(page)._objects.values() if isinstance(child, Dialog)]

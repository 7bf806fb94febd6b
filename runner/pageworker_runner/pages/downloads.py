"""Files that pages download. The browser writes them to its scratch folder, which no code of a module can read.

`helpers.download` reads one through the driver. Whatever a job has not read is cancelled and deleted with its page, so
nothing of it is left for the next job. The size of the scratch folder bounds all of them together.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from playwright.async_api import Download, Page
from playwright.async_api import Error as BrowserError

from pageworker_runner.pages.playwright_internals.client_objects import guid_of, unshared
from pageworker_runner.pages.playwright_internals.driver_artifacts import artifact_of, chunks_of

NAME_CHARS = 255


class Downloads:
    """The downloads of all pages of the browser context that have not been deleted yet."""

    def __init__(self) -> None:
        self._started: list[tuple[Page, Download]] = []

    def watch(self, page: Page) -> None:
        """Notice each download that this page starts."""
        page.on("download", lambda download: self._started.append((unshared(page), unshared(download))))

    async def discard(self, page: Page) -> None:
        """Cancel and delete the downloads of this page, and of pages that are closed. The caller sets the deadline."""
        gone = [entry for entry in self._started if guid_of(entry[0]) == guid_of(page) or entry[0].is_closed()]
        self._started = [entry for entry in self._started if entry not in gone]
        await asyncio.gather(*(_delete(download) for _, download in gone))


async def read(download: Download, most_bytes: int) -> AsyncIterator[bytes]:
    """The bytes of a finished download, in chunks, up to the first chunk that exceeds `most_bytes` in all.

    Waits until it is finished. Raises Playwright's Error.
    """
    async for chunk in up_to(most_bytes, chunks_of(artifact_of(download))):
        yield chunk


async def up_to(most_bytes: int, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The chunks up to the first one that exceeds `most_bytes` in all."""
    total = 0
    async for chunk in chunks:
        total += len(chunk)
        yield chunk
        if total > most_bytes:
            return


def name_of(download: Download) -> str:
    """The file name that the server or the page suggests, without a folder."""
    return download.suggested_filename.replace("\\", "/").rpartition("/")[2][:NAME_CHARS] or "download"


async def _delete(download: Download) -> None:
    # It may have ended with its page, or with the whole browser, which is reported elsewhere.
    with suppress(BrowserError):
        await download.cancel()
        await download.delete()

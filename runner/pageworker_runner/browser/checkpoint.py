"""A checkpoint: the cookies and the storage of a profile, taken while its browser runs, for the case that it is killed.

Chromium writes cookies to disk up to 30 s late, so a killed browser loses a login that is younger than that. The next
browser of the profile gets the checkpoint before its first page. What its folder has been written later is newer.

The origins are those that the browser has visited since its start. A restored origin has local storage and IndexedDB as
they were. Playwright removes its service workers and its private file system: the site makes them again. (It cannot
read the file system of an origin without TLS, and fails then for all origins.)
"""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

import msgspec
from playwright.async_api import BrowserContext, StorageState
from playwright.async_api import Error as BrowserError

from pageworker_runner.task_ownership import own_work
from pageworker_sandbox.wire.messages import MAX_CHECKPOINT_BYTES

COOKIES = ("Default/Cookies", "Default/Cookies-journal", "Default/Network/Cookies", "Default/Network/Cookies-journal")
STORAGE = ("Default/Local Storage/leveldb", "Default/IndexedDB")
RESTORED, FOLDER_IS_NEWER, UNREADABLE = "restored", "the folder is newer", "it is no checkpoint"


class FolderTimes(NamedTuple):
    """When the browser has written to its folder last. Unix seconds; 0.0: never."""

    cookies: float
    storage: float


class BrowserState(msgspec.Struct, frozen=True):
    """What a checkpoint holds, in the form of Playwright's `storage_state`."""

    cookies: list[dict[str, Any]]
    origins: list[dict[str, Any]]


def folder_times(profile: Path) -> FolderTimes:
    """Look before the browser starts: it writes to its folder at once."""
    storage = (file for folder in STORAGE for file in _files_in(profile / folder))
    return FolderTimes(_latest(profile / file for file in COOKIES), _latest(storage))


def parse_state(data: bytes) -> BrowserState | None:
    """The state in the bytes of a checkpoint; None: it is none."""
    try:
        return msgspec.json.decode(data, type=BrowserState)
    except msgspec.DecodeError:
        return None


def state_bytes(state: BrowserState, most: int = MAX_CHECKPOINT_BYTES) -> bytes:
    """The bytes of a checkpoint. Origins that do not fit are left out, the largest first."""
    origins = sorted(((len(msgspec.json.encode(each)), each) for each in state.origins), key=lambda sized: sized[0])
    data = msgspec.json.encode(state)
    while len(data) > most and origins:
        origins.pop()
        data = msgspec.json.encode(BrowserState(state.cookies, [each for _, each in origins]))
    return data if len(data) <= most else b""


def newer_parts(state: BrowserState, taken_at: float, folder: FolderTimes) -> BrowserState | None:
    """What of the state is newer than the folder; None: nothing. Without cookies, those of the browser stay."""
    cookies = state.cookies if folder.cookies < taken_at else []
    origins = state.origins if folder.storage < taken_at else []
    return BrowserState(cookies, origins) if cookies or origins else None


async def take(context: BrowserContext, seconds: float, *, storage: bool) -> BrowserState:
    """Cookies, and with `storage` the storage of visited origins. Raises Playwright's Error, TimeoutError.

    No page may be proved clean meanwhile: the driver opens a page of its own that it does not report.
    """
    with own_work():
        async with asyncio.timeout(seconds):
            if storage:
                # Any: Playwright's type has no IndexedDB.
                found: Any = await context.storage_state(indexed_db=True)
                return BrowserState(found["cookies"], found["origins"])
            return BrowserState([dict(cookie) for cookie in await context.cookies()], [])


async def restore(context: BrowserContext, untrusted_data: bytes, taken_at: float, folder: FolderTimes) -> str:
    """Put a checkpoint into a browser that has just started. Returns what became of it. Raises Playwright's Error."""
    state = parse_state(untrusted_data)
    if state is None:
        return UNREADABLE
    state = newer_parts(state, taken_at, folder)
    if state is None:
        return FOLDER_IS_NEWER
    with own_work():
        # Any: Playwright has one type for cookies that it returns, and another one for those that it takes.
        before: list[Any] = [dict(cookie) for cookie in await context.cookies()]
        wanted = msgspec.structs.asdict(state) if state.cookies else {"cookies": before, "origins": state.origins}
        try:
            # A cast: as for `found` above.
            await context.set_storage_state(cast("StorageState", wanted))
        except BrowserError as error:
            # One cookie or origin that the browser refuses must not cost the others.
            for cookie in (*before, *state.cookies):
                await _add_cookie(context, cookie)
            return f"in part: {str(error)[:200]}"
    return RESTORED


async def _add_cookie(context: BrowserContext, cookie: Any) -> None:
    try:
        await context.add_cookies([cookie])
    except BrowserError:
        return


def _latest(files: Iterator[Path]) -> float:
    return max(map(_written_at, files), default=0.0)


def _written_at(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0


def _files_in(folder: Path) -> Iterator[Path]:
    for above, _, files in os.walk(folder):
        yield from (Path(above, file) for file in files)

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


class BrowserState(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a checkpoint holds, in the form of Playwright's `storage_state`."""

    cookies: list[dict[str, Any]]
    origins: list[dict[str, Any]]
    origins_taken_at: float = 0.0
    """Unix seconds, if the origins are older than the cookies; 0.0: they are not."""


class KnownOrigins(NamedTuple):
    """The storage that the last checkpoint held, or that the browser got at its start."""

    origins: list[dict[str, Any]]
    taken_at: float


class RestoredCheckpoint(NamedTuple):
    """What became of a checkpoint, and the storage of it that the browser has now."""

    result: str
    known: KnownOrigins


NOTHING_KNOWN = KnownOrigins([], 0.0)


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
        data = msgspec.json.encode(BrowserState(state.cookies, [each for _, each in origins], state.origins_taken_at))
    return data if len(data) <= most else b""


def newer_parts(state: BrowserState, taken_at: float, folder: FolderTimes) -> BrowserState | None:
    """What of the state is newer than the folder; None: nothing. Without cookies, those of the browser stay."""
    cookies = state.cookies if folder.cookies < taken_at else []
    origins = state.origins if folder.storage < (state.origins_taken_at or taken_at) else []
    return BrowserState(cookies, origins) if cookies or origins else None


def with_emptied(state: BrowserState, known: KnownOrigins) -> BrowserState:
    """The state, and without content each known origin that it lacks: Playwright leaves out an origin without storage.

    Otherwise the entries of an older snapshot would come back there, such as the token of a login that was ended.
    """
    held = {each.get("origin") for each in state.origins}
    missing = [each["origin"] for each in known.origins if "origin" in each and each["origin"] not in held]
    emptied: list[dict[str, Any]] = [{"origin": name, "localStorage": [], "indexedDB": []} for name in missing]
    return BrowserState(state.cookies, [*state.origins, *emptied])


def with_known(state: BrowserState, known: KnownOrigins) -> BrowserState:
    """The cookies of the state, and the storage that is known: a snapshot's is older still."""
    return BrowserState(state.cookies, known.origins, known.taken_at if known.origins else 0.0)


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


async def restore(
    context: BrowserContext, untrusted_data: bytes, taken_at: float, folder: FolderTimes
) -> RestoredCheckpoint:
    """Put a checkpoint into a browser that has just started. Raises Playwright's Error."""
    found = parse_state(untrusted_data)
    if found is None:
        return RestoredCheckpoint(UNREADABLE, NOTHING_KNOWN)
    state = newer_parts(found, taken_at, folder)
    if state is None:
        return RestoredCheckpoint(FOLDER_IS_NEWER, NOTHING_KNOWN)
    known = KnownOrigins(state.origins, found.origins_taken_at or taken_at)
    with own_work():
        # Any: Playwright has one type for cookies that it returns, and another one for those that it takes.
        before: list[Any] = [dict(cookie) for cookie in await context.cookies()]
        try:
            await _set_state(context, state.cookies or before, state.origins)
        except BrowserError as error:
            # One cookie that the browser refuses must cost neither the others nor the storage.
            if not await _set_storage(context, state.origins):
                known = NOTHING_KNOWN
            for cookie in (*before, *state.cookies):
                await _add_cookie(context, cookie)
            return RestoredCheckpoint(f"in part: {str(error)[:200]}", known)
    return RestoredCheckpoint(RESTORED, known)


async def _set_state(context: BrowserContext, cookies: list[Any], origins: list[dict[str, Any]]) -> None:
    # A cast: Playwright's type has no IndexedDB.
    await context.set_storage_state(cast("StorageState", {"cookies": cookies, "origins": origins}))


async def _set_storage(context: BrowserContext, origins: list[dict[str, Any]]) -> bool:
    """Replace the storage of these origins, and remove all cookies. Returns whether the browser took it."""
    try:
        await _set_state(context, [], origins)
    except BrowserError:
        return False
    return True


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

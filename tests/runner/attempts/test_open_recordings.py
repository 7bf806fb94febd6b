"""When a recording is stored: at the end of its block, also if that fails, or at the end of the attempt."""

import asyncio

import pytest
from playwright.async_api import Error as BrowserError

from pageworker_runner.attempts.open_recordings import OpenRecordings
from pageworker_runner.pages.recordings import Recording
from pageworker_runner.task_ownership import OWN_WORK


class Kept:
    """Stores what it is given. `refuses`: raises instead."""

    def __init__(self) -> None:
        self.stored: list[tuple[str, bytes, str]] = []
        self.warnings: list[str] = []
        self.refuses = False
        self.recordings = OpenRecordings(self.store, self.warnings.append)

    async def store(self, kind: str, data: bytes, content_type: str) -> None:
        if self.refuses:
            raise ValueError("it is too large\nby far")
        self.stored.append((kind, data, content_type))


@pytest.fixture
def kept() -> Kept:
    return Kept()


async def no_drop() -> None:
    raise AssertionError("it is kept")


async def start() -> Recording:
    async def finish() -> bytes:
        assert OWN_WORK.get()
        return b"data"

    assert OWN_WORK.get()
    return Recording("HAR", "application/json", finish, no_drop)


async def start_endless() -> Recording:
    async def finish() -> bytes:
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    return Recording("trace", "application/zip", finish, no_drop)


async def test_the_end_of_the_block_stores_it_once(kept: Kept) -> None:
    async with kept.recordings.during("har", start):
        assert not OWN_WORK.get()
        assert kept.stored == []
    await kept.recordings.keep_all(60)
    assert kept.stored == [("har", b"data", "application/json")]
    assert kept.warnings == []


async def test_an_error_of_the_block_goes_on_and_it_is_stored(kept: Kept) -> None:
    with pytest.raises(KeyError):
        async with kept.recordings.during("har", start):
            raise KeyError
    assert len(kept.stored) == 1


async def test_an_error_of_the_block_goes_on_if_it_cannot_be_stored(kept: Kept) -> None:
    kept.refuses = True
    with pytest.raises(KeyError):
        async with kept.recordings.during("har", start):
            raise KeyError
    assert kept.warnings == ["The HAR is lost: it is too large"]


async def test_a_limit_is_an_error_of_a_block_that_succeeds(kept: Kept) -> None:
    kept.refuses = True
    with pytest.raises(ValueError, match="too large"):
        async with kept.recordings.during("har", start):
            pass


async def test_a_stopped_block_leaves_it_for_the_end_of_the_attempt(kept: Kept) -> None:
    with pytest.raises(asyncio.CancelledError):
        async with kept.recordings.during("har", start):
            raise asyncio.CancelledError
    assert kept.stored == []
    await kept.recordings.keep_all(60)
    assert kept.stored == [("har", b"data", "application/json")]


async def test_what_cannot_be_stored_in_time_is_named(kept: Kept) -> None:
    await kept.recordings.during("trace", start_endless).__aenter__()
    await kept.recordings.during("har", start).__aenter__()
    await kept.recordings.keep_all(0.01)
    assert kept.warnings == [
        "The trace is lost: there was no time left to store it",
        "The HAR is lost: the attempt has ended",
    ]
    assert kept.stored == []


async def test_what_is_recorded_in_case_of_a_failure_is_dropped_after_a_success(kept: Kept) -> None:
    dropped = asyncio.Event()

    async def drop() -> None:
        assert OWN_WORK.get()
        dropped.set()

    async def start_droppable() -> Recording:
        return Recording("trace", "application/zip", start_endless, drop)  # type: ignore[arg-type]  # never finished

    await kept.recordings.record_failure("trace", start_droppable)
    async with kept.recordings.during("har", start):
        pass
    await kept.recordings.succeeded()
    await kept.recordings.keep_all(60)
    assert dropped.is_set()
    assert ([kind for kind, _, _ in kept.stored], kept.warnings) == (["har"], [])


async def test_it_is_kept_after_a_failure(kept: Kept) -> None:
    await kept.recordings.record_failure("trace", start)
    await kept.recordings.keep_all(60)
    assert kept.stored == [("trace", b"data", "application/json")]


async def test_an_attempt_goes_on_without_it(kept: Kept) -> None:
    async def start_none() -> None:
        return None

    async def start_fails() -> Recording:
        raise BrowserError("the driver is busy\nby far")

    for begin in (start_none, start_fails):
        await kept.recordings.record_failure("trace", begin)
    await kept.recordings.succeeded()
    assert kept.warnings == [
        "No trace is recorded: another job in this browser records one",
        "No trace is recorded: the driver is busy",
    ]

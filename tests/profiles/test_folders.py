"""The store for an event loop: a walk over a folder does not delay the loop, and is bounded."""

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pageworker_profiles import (
    FolderSize,
    FolderWorkerFailed,
    ProfileBusy,
    ProfileError,
    ProfileFolders,
    ProfileLease,
    ProfileStore,
    ProfileTampered,
    ProfileTooLarge,
    folder_calls,
    opening_marker,
)

ONE, TWO = (261_500, 261_501) if os.geteuid() == 0 else (None, None)
MANY = 40_000


def fill(folder: Path, files: int) -> None:
    """Create this number of small files, a thousand per folder."""
    for number in range(files):
        if number % 1000 == 0:
            (folder / str(number // 1000)).mkdir()
        (folder / str(number // 1000) / str(number)).touch()


@asynccontextmanager
async def deleting(opened: ProfileFolders) -> AsyncIterator[list[ProfileError]]:
    """Delete removed folders while the block runs. Yields the list of errors."""
    wrong: list[ProfileError] = []
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(opened.run(wrong.append))
        yield wrong
        running.cancel()


async def until_empty(folder: Path) -> None:
    async with asyncio.timeout(60):
        while list(folder.iterdir()):  # noqa: ASYNC110 - no event tells when it is empty
            await asyncio.sleep(0.01)


class Lag:
    """The longest delay of the event loop."""

    worst_seconds = 0.0

    async def watch(self) -> None:
        """Measure for ever."""
        while True:
            due = time.perf_counter() + 0.005
            await asyncio.sleep(0.005)
            self.worst_seconds = max(self.worst_seconds, time.perf_counter() - due)


@asynccontextmanager
async def lag_of_the_loop() -> AsyncIterator[Lag]:
    """Measure the delay while the block runs."""
    lag = Lag()
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(lag.watch())
        yield lag
        watching.cancel()


@pytest.mark.timeout(120)
@pytest.mark.exclusive
async def test_forty_thousand_files_are_opened_measured_and_deleted_beside_the_loop(tmp_path: Path) -> None:
    """Regression: the loop stood still for 2.4 seconds."""
    opened = ProfileFolders(tmp_path)
    with await opened.open("acme", "shop", 1, ONE) as lease:
        await asyncio.to_thread(fill, lease.path, MANY)
    async with lag_of_the_loop() as lag, deleting(opened) as wrong:
        began = time.perf_counter()
        with await opened.open("acme", "shop", 2, TWO) as lease:
            walked_seconds = time.perf_counter() - began
            assert (await opened.measure(lease.path)).files == MANY + MANY // 1000 + 1, "and the marker of the opening"
        assert await opened.remove("acme", "shop")
        await until_empty(tmp_path / ".trash")
    assert wrong == []
    # On the loop it would be late by all of one walk.
    assert lag.worst_seconds < walked_seconds / 3


async def test_a_profile_that_is_too_large_is_not_opened_and_stays_as_it_is(tmp_path: Path) -> None:
    with await ProfileFolders(tmp_path).open("acme", "shop", 1, ONE) as lease:
        fill(lease.path, 10)
        (lease.path / "large").write_bytes(bytes(100_000))
    few, small = ProfileFolders(tmp_path, FolderSize(5, 10**9)), ProfileFolders(tmp_path, FolderSize(100, 50_000))
    with pytest.raises(ProfileTooLarge) as files:
        await few.open("acme", "shop", 2, TWO)
    assert (files.value.used, files.value.allowed, files.value.unit) == (6, 5, "files")
    with pytest.raises(ProfileTooLarge) as size:
        await small.open("acme", "shop", 2, TWO)
    assert (size.value.allowed, size.value.unit) == (50_000, "bytes")
    assert 50_000 < size.value.used < 200_000
    with await ProfileFolders(tmp_path).open("acme", "shop", 2, TWO) as lease:
        assert (lease.path / "0/9").exists()
        with pytest.raises(ProfileTooLarge):
            await few.measure(lease.path)


async def test_errors_come_over_from_the_other_process(tmp_path: Path) -> None:
    opened = ProfileFolders(tmp_path)
    with await opened.open("acme", "shop", 1, None) as lease:
        (lease.path / "SingletonLock").mkdir()
        with pytest.raises(ProfileBusy, match=f"pid {os.getpid()}"):
            await opened.open("acme", "shop", 1, None)
    with pytest.raises(ProfileTampered, match="SingletonLock is a folder"):
        await opened.open("acme", "shop", 1, None)
    with pytest.raises(FolderWorkerFailed, match="unknown action"):
        await folder_calls.walk("paint", tmp_path)
    assert ProfileStore(tmp_path).holder("acme", "shop") is None


async def test_an_abandoned_walk_is_killed_and_the_next_one_repeats_it(tmp_path: Path) -> None:
    opened = ProfileFolders(tmp_path)
    with await opened.open("acme", "shop", 1, ONE) as lease:
        await asyncio.to_thread(fill, lease.path, 5000)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await opened.open("acme", "shop", 2, TWO)
    with await opened.open("acme", "shop", 3, TWO) as lease:
        owners = {path.name: path.stat().st_uid for path in lease.path.rglob("*")}
        assert owners.pop(opening_marker.FILE) == os.getuid(), "no browser can change it"
        assert set(owners.values()) == {TWO or os.getuid()}


async def test_a_lock_that_a_cancelled_open_takes_is_released(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = ProfileFolders(tmp_path)
    hold, taken, cancelled = ProfileStore.hold, threading.Event(), threading.Event()

    def slow(*arguments: Any) -> ProfileLease:
        lease = hold(*arguments)
        taken.set()
        cancelled.wait(10)
        return lease

    monkeypatch.setattr(ProfileStore, "hold", slow)
    async with asyncio.TaskGroup() as tasks:
        opening = tasks.create_task(opened.open("acme", "shop", 1, ONE))
        await asyncio.to_thread(taken.wait)
        opening.cancel()
        asyncio.get_running_loop().call_later(0.1, cancelled.set)
    monkeypatch.undo()
    with await opened.open("acme", "shop", 2, ONE) as lease:
        assert lease.path.is_dir()


async def test_what_dead_processes_left_is_deleted_at_the_start(tmp_path: Path) -> None:
    for left in (".scratch/r-1/data/a/b", ".trash/12-ab/x"):
        (tmp_path / left).mkdir(parents=True)
    async with deleting(ProfileFolders(tmp_path)):
        await until_empty(tmp_path / ".trash")
        assert [path.name for path in (tmp_path / ".scratch").iterdir()] == ["lock"]

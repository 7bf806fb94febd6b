"""Snapshots that could not be stored when their browser was closed: they are stored later, or set aside."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from profiles.snapshots.conftest import Worker
from pw_profiles import SnapshotWorker, put

from pageworker_profiles.snapshots import snapshot_folders
from pageworker_profiles.snapshots.local_copy import LocalCopy, read_copy


async def published_later(a: SnapshotWorker, done: Callable[[], bool]) -> None:
    """Let the worker's background task run until this holds."""
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(a.profiles.run(lambda error: None))
        while not done():  # noqa: ASYNC110 - no event tells when it is done
            await asyncio.sleep(0.02)
        running.cancel()


async def test_what_could_not_be_published_is_published_after_a_restart(worker: Worker, store: Path) -> None:
    a = worker("a")
    lease = await a.open(1)
    put(lease.path, "late")
    hidden = store.rename(store.with_name("hidden"))
    await a.close(lease, 1)
    assert a.failed == ["publish SnapshotStoreAway"]
    again = worker("a")
    (again.root / "lost+found").mkdir()
    hidden.rename(store)
    await published_later(again, lambda: again.moved == ["publish"])
    assert await worker("b").visit(2) == "late"


async def test_the_same_worker_tries_again_by_itself(worker: Worker, store: Path) -> None:
    a = worker("a")
    lease = await a.open(1)
    put(lease.path, "late")
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(a.profiles.run(lambda error: None))
        hidden = store.rename(store.with_name("hidden"))
        await a.close(lease, 1)
        while len(a.failed) < 2:  # noqa: ASYNC110 - no event tells when it has tried again
            await asyncio.sleep(0.02)
        assert set(a.waits) == {True}
        hidden.rename(store)
        while not a.moved:  # noqa: ASYNC110 - no event tells when it is done
            await asyncio.sleep(0.02)
        running.cancel()
    assert a.waits[-1] is False
    assert await worker("b").visit(2) == "late"


async def test_a_release_that_fails_while_the_folder_is_looked_at_is_not_forgotten(worker: Worker, store: Path) -> None:
    a = worker("a")
    lease = await a.open(1)
    put(lease.path, "late")
    hidden = store.rename(store.with_name("hidden"))
    looked, released = threading.Event(), threading.Event()

    def slowly(folder: Path) -> LocalCopy | None:
        copy = read_copy(folder)  # the folder is still open
        looked.set()
        released.wait(20)
        return copy

    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        patch = pytest.MonkeyPatch()
        patch.setattr(snapshot_folders, "read_copy", slowly)
        running = tasks.create_task(a.profiles.run(lambda error: None))
        await asyncio.to_thread(looked.wait, 20)
        await a.close(lease, 1)
        hidden.rename(store)
        patch.undo()
        released.set()
        while not a.moved:  # noqa: ASYNC110 - no event tells when it is done
            await asyncio.sleep(0.02)
        running.cancel()
    assert await worker("b").visit(2) == "late"


async def test_the_next_opening_here_publishes_it_first(worker: Worker, store: Path) -> None:
    a = worker("a")
    lease = await a.open(1)
    put(lease.path, "late")
    hidden = store.rename(store.with_name("hidden"))
    await a.close(lease, 1)
    hidden.rename(store)
    assert await a.visit(2, "half written", clean=False) == "late"
    assert await worker("b").visit(3) == "late"


async def test_what_another_worker_has_overtaken_is_set_aside_and_not_published(worker: Worker, store: Path) -> None:
    a, b = worker("a"), worker("b")
    await a.visit(1, "one")
    lease = await a.open(2)
    put(lease.path, "left")
    hidden = store.rename(store.with_name("hidden"))
    await a.close(lease, 2)
    hidden.rename(store)
    assert await b.visit(3, "three") == "one"
    again = worker("a")
    await published_later(again, lambda: bool(again.aside))
    assert again.moved == []
    assert await again.visit(4) == "three"

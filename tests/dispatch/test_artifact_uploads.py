"""The artifacts of one attempt, in a real folder and without one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pw_doubles import any_typed

from pageworker_sandbox.memfd import seal
from pageworker_sandbox.wire import messages as m
from pageworker_supervisor.artifacts.store import ArtifactStore
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.contract.result import ArtifactRecord
from pageworker_supervisor.dispatch.artifact_uploads import LEAST_CLAIM_BYTES, UPLOADS_AT_ONCE, ArtifactUploads
from pageworker_supervisor.runners.page_reservation import PageReservation, RunnerPages
from pageworker_supervisor.telemetry import log

DONE = m.Done(attempt_id="a", outcome="succeeded")


async def no_call() -> None:
    """Of a test that ends at once or does not care."""


class HandsOver:
    """A runner that hands over what is granted at once."""

    async def grant(self, page: PageReservation, offer: m.Offer) -> None:
        page.deliver(m.ArtifactData(attempt_id="a", kind=f"k{offer.number}", content_type="a/b"), seal(b"x", "x"))


class HeldStore(ArtifactStore):
    """Stores nothing before it is told to."""

    opened: asyncio.Event
    busy: asyncio.Event
    """Set once as many have begun as one attempt may store at once."""
    begun: int

    async def put(self, *arguments: Any, **more: Any) -> ArtifactRecord:
        self.begun += 1
        if self.begun == UPLOADS_AT_ONCE:
            self.busy.set()
        await self.opened.wait()
        return await super().put(*arguments, **more)


def held(folder: Path) -> HeldStore:
    store = HeldStore.open(None, folder)
    store.opened, store.busy, store.begun = asyncio.Event(), asyncio.Event(), 0
    return store


@asynccontextmanager
async def attempt(store: ArtifactStore) -> AsyncIterator[tuple[PageReservation, ArtifactUploads]]:
    page = RunnerPages(lambda: None).reserve(any_typed(HandsOver()), exclusive=False)
    async with ArtifactUploads(page, JobRef("t", "j"), 1, store, log) as uploads, asyncio.TaskGroup() as tasks:
        tasks.create_task(uploads.accept())
        yield page, uploads
        page.end(DONE)


async def offer(page: PageReservation, *numbers: int) -> None:
    """Each is granted and handed over before the next is offered."""
    for number in numbers:
        one = m.Offer(attempt_id="a", number=number, bytes=1)
        page.offer(one)
        await page.until(lambda: not page.is_open(one))  # noqa: B023 - awaited


async def test_artifacts_keep_their_order_whichever_is_stored_first(tmp_path: Path) -> None:
    store = held(tmp_path)
    async with asyncio.timeout(10), attempt(store) as (page, uploads):
        await offer(page, *range(UPLOADS_AT_ONCE + 2))
        await store.busy.wait()
        page.end(DONE)
        store.opened.set()
        await uploads.stored(no_call)
    assert [each.kind for each in page.artifacts] == [f"k{n}" for n in range(UPLOADS_AT_ONCE + 2)]
    assert (page.artifacts_lost, store.pending_bytes.used) == ([], 0)


async def test_what_waits_is_counted_and_few_are_stored_at_once(tmp_path: Path) -> None:
    store = held(tmp_path)
    async with asyncio.timeout(10), attempt(store) as (page, uploads):
        await offer(page, *range(UPLOADS_AT_ONCE + 2))
        await store.busy.wait()
        assert store.pending_bytes.used == (UPLOADS_AT_ONCE + 2) * LEAST_CLAIM_BYTES
        assert (store.begun, uploads.storing) == (UPLOADS_AT_ONCE, False)
        store.opened.set()


@pytest.mark.parametrize("after", ["given up", "left"])
async def test_what_is_not_stored_when_the_attempt_ends_is_given_up(after: str, tmp_path: Path) -> None:
    store = held(tmp_path)
    async with asyncio.timeout(10), attempt(store) as (page, uploads):
        await offer(page, 0, 1)
        page.end(DONE)
        if after == "given up":
            uploads.give_up("the worker stopped")
            await uploads.stored(no_call)
            told = [(each.kind, each.type, each.message, each.bytes) for each in page.artifacts_lost]
            assert told == [(f"k{n}", "drained", "the worker stopped", 1) for n in range(2)]
    assert (page.artifacts, store.pending_bytes.used) == ([], 0)

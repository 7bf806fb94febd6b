"""Between claim and handler: a job that is cancelled, requeued or expired meanwhile never begins."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from operator import contains
from typing import Any

import pytest
from chaos.echo import EchoRunner
from msgspec import structs
from pw_worker import Echoes, nap

from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.queue.claim import Claimed

JOB = JobRef("acme", "j1")


@pytest.fixture
async def gate(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[asyncio.Event]:
    """Runners come up once this event is set."""
    opened = asyncio.Event()
    come_up = EchoRunner._serve_in

    async def late(self: EchoRunner, folder: Any) -> None:
        await opened.wait()
        await come_up(self, folder)

    monkeypatch.setattr(EchoRunner, "_serve_in", late)
    yield opened
    opened.set()


async def starting(worker: Echoes) -> None:
    """Return when the job is claimed and waits for its runner."""
    await worker.until(lambda: any(attempt.runner for attempt in worker.components.dispatcher.attempts.values()))


async def test_a_cancel_holds_while_the_runner_starts(gate: asyncio.Event, worker: Echoes) -> None:
    await worker.push(nap("j1", 1))
    await starting(worker)
    assert await worker.queue.inspection.cancel(JOB) == "cancelling"
    await worker.answered(1, seconds=3)
    result = worker.results["j1"]
    assert (result["status"], result["attempts"]) == ("cancelled", [])
    gate.set()
    await worker.push(nap("j2", 1))
    await worker.answered(2)
    assert worker.results["j2"]["status"] == "succeeded"
    await worker.until(lambda: not any(runner.taken for runner in worker.components.fleet.runners.values()))


async def test_a_job_that_expires_while_its_runner_starts_is_answered_on_time(
    gate: asyncio.Event, worker: Echoes
) -> None:
    seconds, micros = await worker.client.time()
    at = seconds * 1000 + micros // 1000 + 700
    await worker.push(structs.replace(nap("j1", 1), expires_at_ms=at))
    await starting(worker)
    await worker.answered(1, seconds=4)
    result = worker.results["j1"]
    assert (result["status"], result["attempts"]) == ("expired", [])
    gate.set()


async def test_a_job_that_a_drain_hands_back_does_not_begin_here(gate: asyncio.Event, worker: Echoes) -> None:
    await worker.push(nap("j1", 1))
    await starting(worker)
    lines = []
    async with asyncio.timeout(10):
        async for line in worker.worker.drain(0.1):
            lines.append(line.event)
            if line.event == "requeued":
                gate.set()
    assert lines == ["waiting", "requeued", "deadline"]
    (view,) = (await worker.queue.inspection.jobs()).jobs
    assert (view.state, view.attempts_used) == ("queued", 0)
    assert worker.results == {}
    assert await worker.client.xlen("pw:{0}:results") == 0


async def test_a_cancel_that_is_heard_before_the_claim_is_answered(
    worker: Echoes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease is made, and its cancellation sent, before the worker has read the claim's reply."""
    dispatcher = worker.components.dispatcher
    claim = dispatcher._queue.claim

    async def late(*words: Any) -> Claimed:
        claimed = await claim(*words)
        for lease in claimed.leases:
            if lease.ending is None:
                assert await worker.queue.inspection.cancel(lease.ref) == "cancelling"
                await worker.until(partial(contains, dispatcher._cancelled_early, lease.token))
        return claimed

    monkeypatch.setattr(dispatcher._queue, "claim", late)
    await worker.push(nap("j1", 60_000))
    await worker.answered(1, seconds=5)
    assert worker.results["j1"]["status"] == "cancelled"


async def test_what_ends_just_after_its_cancel_ends_as_cancelled(
    worker: Echoes, monkeypatch: pytest.MonkeyPatch
) -> None:
    settlement = worker.components.settlement
    finish = settlement._queue.finish

    async def late(lease: Any, status: str, *result: Any, **more: Any) -> bool:
        if status == "succeeded":
            assert await worker.queue.inspection.cancel(lease.ref) == "cancelling"
        return await finish(lease, status, *result, **more)

    monkeypatch.setattr(settlement._queue, "finish", late)
    await worker.push(nap("j1", 1))
    await worker.answered(1, seconds=5)
    result = worker.results["j1"]
    assert (result["status"], result["data"]) == ("cancelled", None)
    assert [attempt["outcome"] for attempt in result["attempts"]] == ["succeeded"]


async def test_a_job_that_began_and_was_requeued_does_not_expire(worker: Echoes) -> None:
    """The queue learns of it while the handler still runs, in case the worker dies."""
    seconds, micros = await worker.client.time()
    at = seconds * 1000 + micros // 1000 + 2_000
    await worker.push(structs.replace(nap("j1", 60_000), expires_at_ms=at))
    await worker.until(lambda: any(runner.running for runner in worker.components.fleet.runners.values()))
    async with asyncio.timeout(5):
        while await worker.client.hget("pw:{0}:job:acme/j1", "begun") is None:
            await worker.turn()
        assert [line.event async for line in worker.worker.drain(0.1)] == ["waiting", "requeued", "deadline"]
    assert await worker.client.zscore("pw:{0}:expiry", "acme/j1") is None
    (view,) = (await worker.queue.inspection.jobs()).jobs
    assert view.state == "queued"

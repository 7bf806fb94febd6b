"""The dispatcher claims, and owns the drain. Its queue, fleet and attempts are fakes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pw_doubles import any_typed
from pw_leases import new_lease

from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.dispatch import dispatcher as module
from pageworker_supervisor.dispatch.attempt_state import AttemptState
from pageworker_supervisor.dispatch.dispatcher import Dispatcher, DrainCancelled
from pageworker_supervisor.queue.claim import Claimed, Ending, Lease


def lease(token: str, ending: Ending | None = None) -> Lease:
    return new_lease(ref=JobRef("acme", token), token=token, ending=ending)


class FakeAttempt:
    """Runs until the test ends it, or it is requeued."""

    def __init__(self, lease: Lease, services: Any) -> None:
        self.lease = lease
        self.state = AttemptState.BEGUN
        self.runner = object()
        self.profile_released = False
        self.ended = asyncio.Event()
        self.calls: list[str] = []

    async def contain(self, step: Coroutine[Any, Any, None]) -> None:
        await step

    async def serve(self) -> None:
        await self.ended.wait()

    async def close(self) -> None:
        self.calls.append("close")
        await self.ended.wait()

    async def requeue_at_once(self, reason: str) -> None:
        self.calls.append("requeue_at_once")
        await self.ended.wait()

    async def tell_begun(self) -> None:
        """Its handler never begins."""

    async def requeue(self, reason: str) -> bool:
        self.calls.append("requeue")
        return True

    async def stop(self, outcome: str) -> None:
        self.calls.append(f"stop {outcome}")
        self.ended.set()


class FakeWorld:
    """The queue, the availability of Redis and the fleet in one. Each claim brings what the test has put in."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()
        self.claims: asyncio.Queue[Claimed] = asyncio.Queue()
        self.claiming = asyncio.Event()
        self.attempts: list[FakeAttempt] = []
        self.made = asyncio.Event()

    def attempt(self, lease: Lease, services: Any, asked_at: float) -> FakeAttempt:
        self.attempts.append(FakeAttempt(lease, services))
        self.made.set()
        return self.attempts[-1]

    async def claim(self, name: str, capacity: Any) -> Claimed:
        self.claiming.set()
        return await self.claims.get()

    async def wait_served(self) -> None:
        """Redis always answers here."""

    async def retry_until_available(self, call: Callable[[], Awaitable[Any]]) -> Any:
        return await call()

    def capacity(self, limit: int, pending: Any) -> None:
        """Not looked at by the fake queue."""

    def next_evictable_in(self) -> None:
        """Time changes nothing here."""

    def profiles(self) -> list[tuple[str, str, int]]:
        return []


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Dispatcher, FakeWorld]]:
    fake = any_typed(FakeWorld())
    monkeypatch.setattr(module, "Attempt", fake.attempt)
    async with running(Dispatcher("w1", fake, fake, fake, fake)) as dispatcher:
        await fake.claiming.wait()
        yield dispatcher, fake


@asynccontextmanager
async def running(dispatcher: Dispatcher) -> AsyncIterator[Dispatcher]:
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        task = tasks.create_task(dispatcher.run())
        yield dispatcher
        task.cancel()


async def claimed(world: tuple[Dispatcher, FakeWorld], *leases: Lease) -> list[Any]:
    """Let the claim that is under way bring these leases. Returns their attempts once the next claim is under way."""
    _, fake = world
    fake.claiming.clear()
    fake.claims.put_nowait(Claimed(leases=leases))
    await fake.claiming.wait()
    return fake.attempts[-len(leases) :]


async def end_claim(fake: FakeWorld) -> None:
    """The claim that is under way brings nothing."""
    fake.claims.put_nowait(Claimed())
    await asyncio.sleep(0)


async def test_a_drain_waits_for_what_runs(world: tuple[Dispatcher, FakeWorld]) -> None:
    dispatcher, fake = world
    one, other = await claimed(world, lease("one"), lease("other"))
    steps = []
    async for step in dispatcher.drain(5):
        steps.append((step.event, step.attempt.lease.token if step.attempt else None, step.left))
        if len(steps) == 2:
            await end_claim(fake)
            one.ended.set()
        if step.event == "ended" and step.attempt is one:
            other.ended.set()
    assert steps == [
        ("waiting", "one", 0),
        ("waiting", "other", 0),
        ("ended", "one", 0),
        ("ended", "other", 0),
        ("over", None, 0),
    ]
    assert not dispatcher.busy


async def test_what_is_left_at_the_deadline_is_requeued(world: tuple[Dispatcher, FakeWorld]) -> None:
    dispatcher, fake = world
    (attempt,) = await claimed(world, lease("one"))
    await end_claim(fake)
    steps = [(step.event, step.left) async for step in dispatcher.drain(0.05)]
    assert steps == [("waiting", 0), ("requeued", 0), ("over", 1)]
    assert attempt.calls == ["requeue"]
    attempt.ended.set()


async def test_what_ends_with_its_result_at_the_deadline_is_not_reported_as_requeued(
    world: tuple[Dispatcher, FakeWorld],
) -> None:
    dispatcher, fake = world
    stores, runs = await claimed(world, lease("stores"), lease("runs"))
    await end_claim(fake)

    async def requeue(reason: str) -> bool:
        stores.ended.set()
        return False

    stores.requeue = requeue
    steps = [
        (step.event, step.attempt and step.attempt.lease.token, step.left) async for step in dispatcher.drain(0.05)
    ]
    assert steps[2:] == [("ended", "stores", 0), ("requeued", "runs", 0), ("over", None, 1)]
    runs.ended.set()


async def test_a_drain_is_over_when_what_another_one_requeues_is_back_in_the_queue(
    world: tuple[Dispatcher, FakeWorld],
) -> None:
    """A worker that is told to stop drains beside the drain that is under way, and ends after its own."""
    dispatcher, fake = world
    (attempt,) = await claimed(world, lease("one"))
    await end_claim(fake)
    begun, answered = asyncio.Event(), asyncio.Event()

    async def requeue(reason: str) -> bool:
        attempt.calls.append("requeue")
        attempt.ended.set()
        begun.set()
        await answered.wait()
        return True

    attempt.requeue = requeue
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(collected(dispatcher, 0.01))
        await begun.wait()
        second = tasks.create_task(collected(dispatcher, 0.01))
        await asyncio.wait([second], timeout=0.1)
        assert ([one.token for one in dispatcher.unsettled], second.done()) == (["one"], False)
        answered.set()
    assert (first.result()[-1], second.result()[-1]) == ("over", "over")
    assert (attempt.calls, dispatcher.unsettled) == (["requeue"], [])


async def test_undrain_cancels_a_drain_and_claims_again(world: tuple[Dispatcher, FakeWorld]) -> None:
    dispatcher, fake = world
    (attempt,) = await claimed(world, lease("one"))
    await end_claim(fake)
    fake.claiming.clear()
    with pytest.raises(DrainCancelled):
        async for step in dispatcher.drain(5):
            assert step.event == "waiting"
            asyncio.get_running_loop().call_soon(dispatcher.undrain)
    await fake.claiming.wait()
    assert attempt.calls == []
    attempt.ended.set()


async def test_jobs_of_a_claim_that_was_under_way_when_the_drain_began_are_requeued(
    world: tuple[Dispatcher, FakeWorld],
) -> None:
    dispatcher, fake = world
    async with asyncio.TaskGroup() as tasks:
        drain = tasks.create_task(collected(dispatcher))
        await asyncio.sleep(0)
        assert dispatcher.busy, "the claim may still bring jobs"
        fake.claims.put_nowait(Claimed(leases=(lease("late"),)))
        await fake.made.wait()
        await asyncio.sleep(0)
        (attempt,) = fake.attempts
        assert (attempt.calls, list(dispatcher.closing), drain.done()) == (["requeue_at_once"], ["late"], False)
        attempt.ended.set()
    assert drain.result() == ["over"]


async def collected(dispatcher: Dispatcher, seconds: float = 5) -> list[str]:
    return [step.event async for step in dispatcher.drain(seconds)]


async def test_a_job_that_is_to_be_ended_takes_no_page(world: tuple[Dispatcher, FakeWorld]) -> None:
    dispatcher, _ = world
    (attempt,) = await claimed(world, lease("one", "expired"))
    await asyncio.sleep(0)
    assert (attempt.calls, dispatcher.attempts, len(dispatcher.leases)) == (["close"], {}, 1)
    attempt.ended.set()


async def test_a_cancellation_before_the_claims_reply_stops_the_attempt(world: tuple[Dispatcher, FakeWorld]) -> None:
    dispatcher, _ = world
    async with asyncio.TaskGroup() as tasks:
        dispatcher.cancel(tasks, "early")
    (attempt,) = await claimed(world, lease("early"))
    await attempt.ended.wait()
    assert attempt.calls == ["stop cancelled"]


async def test_a_closed_dispatcher_claims_nothing() -> None:
    fake = any_typed(FakeWorld())
    async with running(Dispatcher("w1", fake, fake, fake, fake, closed=True)):
        fake.changed.set()
        for _ in range(10):
            await asyncio.sleep(0)
        assert not fake.claiming.is_set()

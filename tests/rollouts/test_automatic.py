"""The automatic decision of several workers on one Redis: one of them acts, and an operator goes before."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from pw_queue import DONE, QueueHarness, open_harness, ticket
from pw_servers import RedisServer

from pageworker_supervisor.audit.decisions import Decisions
from pageworker_supervisor.config.rollout_settings import RolloutSettings
from pageworker_supervisor.queue.rollout_store import observation_request
from pageworker_supervisor.rollouts.automatic import AutomaticDecision
from pageworker_supervisor.rollouts.rollout_entry import RolloutEntry, decode_entry, encode_entry
from pageworker_supervisor.rollouts.rollout_state import RolloutState
from pageworker_supervisor.telemetry.metrics import Metrics
from rollouts.pairs import running

ENTRY = RolloutEntry(rollout=running())


@pytest.fixture
async def harness(live_redis: RedisServer) -> AsyncIterator[QueueHarness]:
    async with open_harness(live_redis.port) as opened:
        await opened.queue.rollouts.write("shop", 0, encode_entry(ENTRY), b"{}")
        yield opened


class OneDecider:
    """The part of one worker."""

    def __init__(self, harness: QueueHarness, settings: RolloutSettings = RolloutSettings()) -> None:
        self.metrics, self.decisions = Metrics(), Decisions()
        self._automatic = AutomaticDecision(
            harness.queue.rollouts, lambda: settings, self.metrics, self.decisions, lambda: 1000.0
        )

    async def look(self, revision: int = 1) -> None:
        await self._automatic.look({"shop": ENTRY, "news": RolloutEntry()}, lambda _: revision)

    @property
    def decided(self) -> bool:
        return b"pageworker_rollout_decisions_total{" in self.metrics.expose()


async def ended(harness: QueueHarness, name: str, jobs: int, *fields: str) -> None:
    """So many jobs of a version that ended so."""
    await harness.producer.enqueue([ticket(f"{name}-{number}") for number in range(jobs)])
    for lease in await harness.take():
        observed = observation_request("shop", "r1", 0, fields)
        assert await harness.consumer.finish(lease, **DONE, observed=observed)


async def stored(harness: QueueHarness) -> RolloutEntry:
    found = await harness.queue.rollouts.entry("shop")
    assert found is not None
    return decode_entry(found.text)


async def test_of_several_workers_one_rolls_back(harness: QueueHarness) -> None:
    workers = [OneDecider(harness) for _ in range(4)]
    async with harness.client.pubsub() as events:
        await events.subscribe("pw:events:_fleet")
        await ended(harness, "old", 60, "old.jobs")
        await ended(harness, "new", 20, "new.jobs", "new.failed")
        await asyncio.gather(*(worker.look() for worker in workers))
        entry = await stored(harness)
        assert entry.rollout is not None
        assert (entry.rollout.state, entry.rolled_back) == (RolloutState.ROLLED_BACK, ("1.1.0",))
        assert "failed 20 of 20 new, 0 of 60 old" in entry.rollout.evidence
        (winner,) = [worker for worker in workers if worker.decided]
        decision = (await winner.decisions.oldest()).entry
        assert (decision.action, decision.target) == ("rollout.roll_back", "shop")
        told = None
        while told is None or told["type"] != "message":
            told = await events.get_message(timeout=5)
        assert json.loads(told["data"])["detail"]["evidence"] == entry.rollout.evidence


async def test_each_job_is_looked_at_once_by_two_workers(harness: QueueHarness) -> None:
    one, other = OneDecider(harness), OneDecider(harness)
    await ended(harness, "old", 8, "old.jobs")
    await ended(harness, "new", 2, "new.jobs", "new.failed")
    for _ in range(3):
        await one.look()
        await other.look()
    assert (await harness.queue.rollouts.decision("shop", "r1")).number == 1, "nothing was new after the first look"


async def test_an_entry_that_an_operator_has_changed_is_left_alone(harness: QueueHarness) -> None:
    await harness.queue.rollouts.write("shop", 1, encode_entry(RolloutEntry()), b"{}")
    one = OneDecider(harness)
    await ended(harness, "old", 60, "old.jobs")
    await ended(harness, "new", 20, "new.jobs", "new.failed")
    await one.look()
    assert await stored(harness) == RolloutEntry()
    assert not one.decided


async def test_it_promotes_when_the_settings_say_so(harness: QueueHarness) -> None:
    one = OneDecider(harness, RolloutSettings(promote_after_seconds=900.0, promote_after_jobs=10))
    await ended(harness, "old", 40, "old.jobs")
    await ended(harness, "new", 10, "new.jobs")
    await one.look()
    entry = await stored(harness)
    assert entry.rollout is not None
    assert (entry.rollout.state, entry.replaced) == (RolloutState.PROMOTED, {"1.0.0": "1.1.0"})


async def test_a_memory_that_cannot_be_read_begins_anew(harness: QueueHarness) -> None:
    assert await harness.queue.rollouts.decide("shop", "r1", 0, b"\xff")
    await ended(harness, "old", 60, "old.jobs")
    await ended(harness, "new", 20, "new.jobs", "new.failed")
    await OneDecider(harness).look()
    assert (await stored(harness)).running is None

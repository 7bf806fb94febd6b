"""What a worker does with the reply to its heartbeat."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from pw_doubles import any_typed

from pageworker_supervisor.config.settings import PoolSettings
from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.dispatch.heartbeat import Heartbeat
from pageworker_supervisor.queue.consumer import HeartbeatReply
from pageworker_supervisor.redis_client.availability import Availability
from pageworker_supervisor.runners.fleet import Fleet
from pageworker_supervisor.runners.placement import PoolRules
from pageworker_supervisor.telemetry import log
from pageworker_supervisor.telemetry.metrics import Metrics


class ProfileRunner:
    """A runner that has a profile open under a fence."""

    def __init__(self, fence: int) -> None:
        self.context = ContextKey("acme", "shop")
        self.fence = fence
        self.killed = False

    def kill(self, reason: str, *, charged: bool, restart: str) -> None:
        """End at once."""
        self.killed = True


class LostLocks:
    """A queue whose heartbeat says that the lock with fence 7 is lost."""

    lease_ms = 30

    async def heartbeat(self, *arguments: Any) -> HeartbeatReply:
        """The reply to each heartbeat."""
        return HeartbeatReply(lost_profiles=frozenset({("acme", "shop", 7)}))


async def probe() -> None:
    """Redis always answers."""


async def on_gone(context: ContextKey, fence: int | None) -> None:
    """Nothing is to be released."""


@pytest.mark.parametrize(("fence", "lost"), [(7, True), (8, False)])
async def test_only_what_is_open_under_the_lost_lock_is_killed(fence: int, lost: bool) -> None:
    """With a later fence, this worker has given the lock up itself, and has locked the profile again."""
    resources = any_typed(
        SimpleNamespace(
            worker_id="w1",
            metrics=None,
            pool=PoolSettings(),
            pool_rules=PoolRules(4, 4, 2.0),
            decisions=None,
        )
    )
    fleet = any_typed(Fleet("w1", resources, (None, None), on_gone))
    runner = fleet.runners["w1.1"] = ProfileRunner(fence)
    replied = asyncio.Event()

    async def look(found: object) -> None:
        replied.set()

    queue = any_typed(LostLocks())
    dispatcher = any_typed(SimpleNamespace(attempts={}, leases=[], profiles=set))
    limits = any_typed(SimpleNamespace(look=look))
    heartbeat = Heartbeat(queue, Availability(probe), dispatcher, fleet, "w1", Metrics(), limits)
    lines: list[str] = []
    handler = log.add(lines.append, format="{message}", level="ERROR")
    try:
        async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
            running = tasks.create_task(heartbeat.run())
            await replied.wait()
            running.cancel()
    finally:
        log.remove(handler)
    assert runner.killed is lost
    assert bool(lines) is lost

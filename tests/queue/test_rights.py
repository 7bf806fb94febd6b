"""A right that is withdrawn stops a function before it changes anything, not in the middle of a transition."""

from collections.abc import AsyncIterator

import pytest
from pw_queue import DONE, QueueHarness, open_harness, ticket
from pw_servers import redis_server

from pageworker_supervisor.queue.limits_table import LimitsTable
from pageworker_supervisor.queue.producer import QuotaLimits
from pageworker_supervisor.redis_client.errors import RightMissing

# Categories that an operator may withdraw, and commands that stand for one.
RIGHTS = ("@blocking", "@hash", "@keyspace", "@list", "@pubsub", "@sortedset", "@stream", "@string", "xreadgroup")


@pytest.fixture
async def alone() -> AsyncIterator[QueueHarness]:
    """A queue on a Redis of its own, since rights are those of a server."""
    with redis_server() as server:
        async with open_harness(server.port) as harness:
            await harness.queue.limits.set(LimitsTable(fleet=QuotaLimits(concurrency=3)))
            yield harness


@pytest.mark.parametrize("right", RIGHTS)
async def test_a_right_that_is_withdrawn_leaves_nothing_half_done(alone: QueueHarness, right: str) -> None:
    await alone.producer.enqueue([ticket(f"j{n}") for n in range(6)])
    lease = await alone.one()
    # The connection stays the same user's. Its administrative commands are needed to give the right back.
    await alone.client.execute_command("ACL", "SETUSER", "default", f"-{right}")
    for act in (alone.take(), alone.consumer.finish(lease, **DONE), alone.consumer.defer(lease, 10, "")):
        with pytest.raises(RightMissing):
            await act
    await alone.client.execute_command("ACL", "SETUSER", "default", "+@all")
    assert await alone.inspection.check_consistency() == []
    assert await alone.consumer.finish(lease, **DONE)
    assert len(await alone.take()) == 3, "the fleet's limit"
    assert await alone.inspection.check_consistency() == []

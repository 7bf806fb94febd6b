"""The open requests to one host: never more than its limit, shared by workers in turns, given back by the dead."""

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pw_queue import QueueHarness, open_harness, plain_client
from pw_queue.open_counts_model import OpenCountsModel
from pw_servers import RedisServer, RespProxy

from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.request_counts import LEASE_SECONDS, CountReply, LocalRequestCounts, RequestCounts
from pageworker_supervisor.redis_client import Router
from pageworker_supervisor.redis_client.router import shard_of

HOST = "shop.test"
KEY = f"pw:{{0}}:requests:{HOST}:open"


async def hold(harness: QueueHarness, worker: str, holds: int, wants: int, limit: int = 3, host: str = HOST) -> int:
    """How many permits the worker is granted."""
    counts = harness.queue.request_counts
    return (await counts.hold(host, worker, limit=limit, holds=holds, wants=wants)).granted


async def test_workers_get_no_more_than_the_limit_together(harness: QueueHarness) -> None:
    assert await hold(harness, "w1", 0, 2) == 2
    assert await hold(harness, "w2", 0, 2) == 1
    assert await hold(harness, "w3", 0, 1) == 0
    assert await hold(harness, "w3", 0, 1, host="other.test") == 1
    assert await hold(harness, "w1", 1, 0) == 0
    assert await hold(harness, "w3", 0, 1) == 1
    assert await hold(harness, "w2", 1, 1, limit=9) == 1, "a higher limit counts at once"
    assert await hold(harness, "w1", 1, 5, limit=2) == 0, "as does a lower one"
    reply = await harness.queue.request_counts.hold(HOST, "w2", limit=2, holds=2, wants=0)
    assert reply.keep == 0, "w1 and w3 have one each, and w1 waits"


async def test_a_worker_that_died_gives_its_permits_back(harness: QueueHarness) -> None:
    assert await hold(harness, "w1", 0, 3) == 3
    await harness.later(int(LEASE_SECONDS * 1000) - 2_000)
    assert await hold(harness, "w2", 0, 1) == 0
    await harness.later(2_000)
    assert await hold(harness, "w2", 0, 1) == 1
    assert await hold(harness, "w1", 3, 0) == 0, "it was only cut off, and tells what is open"
    assert await hold(harness, "w2", 0, 1) == 0


async def test_the_longest_waiting_worker_is_next_and_who_gives_back_waits_again(harness: QueueHarness) -> None:
    counts = harness.queue.request_counts
    assert (await counts.hold(HOST, "w1", limit=1, holds=0, wants=5)) == CountReply(1, None, 0.1)
    assert (await counts.hold(HOST, "w2", limit=1, holds=0, wants=1)) == CountReply(0, 0, 0.1)
    assert (await counts.hold(HOST, "w1", limit=1, holds=1, wants=4)).keep == 0, "another one waits"
    await harness.later(10)
    assert (await counts.hold(HOST, "w3", limit=1, holds=0, wants=1)) == CountReply(0, 0, 0.2)
    await harness.later(10)
    assert await hold(harness, "w1", 0, 4, limit=1) == 0
    assert await hold(harness, "w3", 0, 1, limit=1) == 0
    assert await hold(harness, "w2", 0, 1, limit=1) == 1
    assert await hold(harness, "w2", 0, 0, limit=1) == 0
    assert await hold(harness, "w1", 0, 4, limit=1) == 0
    assert await hold(harness, "w3", 0, 1, limit=1) == 1


async def test_a_worker_that_waits_no_more_delays_no_other_one(harness: QueueHarness) -> None:
    await hold(harness, "w1", 0, 3)
    await hold(harness, "w2", 0, 3)
    await harness.later(10)
    assert await hold(harness, "w1", 0, 3) == 1, "its share is 1.5, and the rest is for the one that waits"
    await harness.later(2_000)
    assert await hold(harness, "w1", 1, 2) == 2


async def test_a_host_leaves_nothing_behind(harness: QueueHarness) -> None:
    await hold(harness, "w1", 0, 2)
    assert 0 < await harness.client.pttl(KEY) <= LEASE_SECONDS * 1000
    await hold(harness, "w1", 0, 0)
    assert await harness.client.exists(KEY) == 0


async def test_what_no_worker_wrote_is_dropped(harness: QueueHarness) -> None:
    await harness.client.hset(KEY, mapping={"w1": "nonsense", "w2": "", "w3": "9 9"})
    assert await hold(harness, "w1", 0, 3) == 3
    assert await harness.client.hkeys(KEY) == [b"w1"]


async def test_a_repeated_call_changes_nothing(harness: QueueHarness, proxied_redis: RespProxy) -> None:
    client = plain_client(proxied_redis.port)
    queue = QueueClient(Router(client, client), options=harness.queue.options)
    await queue.load()
    proxied_redis.drop_reply(command="FCALL")
    assert (await queue.request_counts.hold(HOST, "w1", limit=3, holds=0, wants=2)).granted == 2
    assert await hold(harness, "w2", 0, 3) == 1
    await client.aclose()


async def test_the_limit_is_whole_with_several_shards(live_redis: RedisServer) -> None:
    async with open_harness(live_redis.port, prefix="sharded", shards=4) as harness:
        hosts = [f"h{n}.test" for n in range(12)]
        assert {shard_of(host, 4) for host in hosts} == {0, 1, 2, 3}
        for host in hosts:
            assert await hold(harness, "w1", 0, 5, host=host) == 3


async def test_a_process_without_redis_counts_alone() -> None:
    counts: RequestCounts = LocalRequestCounts()
    assert await counts.hold(HOST, "w1", limit=3, holds=1, wants=1) == CountReply(1, None, 0.0)
    assert await counts.hold(HOST, "w1", limit=3, holds=2, wants=5) == CountReply(1, None, 0.1)
    assert (await counts.hold(HOST, "w1", limit=1, holds=2, wants=5)).granted == 0


CALLS = st.tuples(
    st.sampled_from(["w1", "w2", "w3", "w4"]),
    st.integers(0, 4),
    st.integers(0, 4),
    st.sampled_from([0, 1_000, 5_000, 40_000]),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls=st.lists(CALLS, min_size=2, max_size=20), limit=st.integers(1, 6))
def test_the_function_does_as_its_model(
    live_redis: RedisServer, calls: list[tuple[str, int, int, int]], limit: int
) -> None:
    """The model stands in for Redis in tests/runners/test_open_count.py."""

    async def run() -> None:
        async with open_harness(live_redis.port, prefix="model") as harness:
            await harness.client.delete(f"model:{{0}}:requests:{HOST}:open")
            model = OpenCountsModel()
            for worker, holds, wants, pause in calls:
                # Redis' clock goes on by itself: each call gets a millisecond of its own, and no pause is near a limit.
                await harness.later(pause + 5)
                seconds, micros = await harness.client.time()
                now = seconds + micros / 1e6 + harness.ahead / 1000
                expected = model.hold(worker, limit=limit, holds=holds, wants=wants, now=now)
                assert (
                    await harness.queue.request_counts.hold(HOST, worker, limit=limit, holds=holds, wants=wants)
                    == expected
                )

    asyncio.run(run())

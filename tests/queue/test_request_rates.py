"""The rate of requests to one host: kept in every window, shared by all tenants, whole on any number of shards."""

import asyncio

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pw_queue import QueueHarness, open_harness, plain_client
from pw_servers import RedisServer, RespProxy

from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.request_rates import RequestRate
from pageworker_supervisor.redis_client import Router
from pageworker_supervisor.redis_client.router import shard_of

FIVE = RequestRate(5.0)
LONGEST_SECONDS = 30.0
HOST = "shop.test"
CLOCK_SECONDS = 0.9
"""Redis' clock goes on while a test runs, beside the one that the test moves."""


async def reserve(harness: QueueHarness, rate: RequestRate = FIVE, host: str = HOST) -> float | None:
    """For one request."""
    (wait,) = (await harness.queue.request_rates.reserve(host, rate, [LONGEST_SECONDS])).waits
    return wait


async def test_requests_of_one_host_begin_one_after_the_other(harness: QueueHarness) -> None:
    waits = [await reserve(harness) for _ in range(5)]
    assert waits[0] == 0
    for n, wait in enumerate(waits):
        assert wait is not None
        assert n * 0.2 - CLOCK_SECONDS < wait <= n * 0.2


async def test_a_burst_begins_at_once_after_a_pause(harness: QueueHarness) -> None:
    rate = RequestRate(0.1, burst=3)
    assert [await reserve(harness, rate) for _ in range(3)] == [0, 0, 0]
    wait = await reserve(harness, rate)
    assert wait is not None
    assert 10 - CLOCK_SECONDS < wait <= 10
    await harness.later(40_000)
    assert [await reserve(harness, rate) for _ in range(3)] == [0, 0, 0]
    assert await reserve(harness, rate) != 0, "a long pause permits no more than the burst"


async def test_a_wait_that_is_too_long_reserves_nothing(harness: QueueHarness) -> None:
    slow = RequestRate(0.05)
    assert await reserve(harness, slow) == 0
    assert 20 - CLOCK_SECONDS < (await reserve(harness, slow) or 0) <= 20
    assert [await reserve(harness, slow) for _ in range(3)] == [None, None, None]
    await harness.later(11_000)
    assert 29 - CLOCK_SECONDS < (await reserve(harness, slow) or 0) <= 29, "the refused ones took no place"


async def test_requests_of_one_call_begin_one_after_the_other_as_far_as_each_may_wait(harness: QueueHarness) -> None:
    found = await harness.queue.request_rates.reserve(
        HOST, RequestRate(0.1, burst=2), [30, 5, 30, 0, 11, 15, 30, 19, 30]
    )
    assert found.waits[:2] == (0, 0)
    assert found.waits[2:] == (10, None, None, None, 20, None, 30), "who may not wait so long takes no place"
    assert found.next_seconds == 40
    assert 50.2 - CLOCK_SECONDS < (await harness.queue.request_rates.reserve(HOST, FIVE, [90])).next_seconds <= 50.2
    none = await harness.queue.request_rates.reserve("none.test", FIVE, [])
    assert (none.waits, none.next_seconds) == ((), 0)
    assert await harness.client.exists("pw:{0}:requests:none.test") == 0


async def test_another_host_waits_for_nothing(harness: QueueHarness) -> None:
    for _ in range(50):
        await reserve(harness)
    assert await reserve(harness, host="other.test") == 0


async def test_a_host_leaves_nothing_behind(harness: QueueHarness) -> None:
    """An idle host has no key, and a busy one only until its last reservation is over."""
    for _ in range(10):
        await reserve(harness)
    left = await harness.client.pttl(f"pw:{{0}}:requests:{HOST}")
    assert 2_000 - CLOCK_SECONDS * 1000 < left <= 2_002


async def test_a_call_whose_reply_is_lost_only_leaves_an_instant_unused(
    harness: QueueHarness, proxied_redis: RespProxy
) -> None:
    client = plain_client(proxied_redis.port)
    queue = QueueClient(Router(client, client), options=harness.queue.options)
    await queue.load()
    proxied_redis.drop_reply(command="FCALL")
    (wait,) = (await queue.request_rates.reserve(HOST, RequestRate(0.1), [LONGEST_SECONDS])).waits
    assert wait is not None
    assert 10 - CLOCK_SECONDS < wait <= 10
    await client.aclose()


async def test_the_rate_is_whole_with_several_shards(live_redis: RedisServer) -> None:
    async with open_harness(live_redis.port, prefix="sharded", shards=4) as harness:
        hosts = [f"h{n}.test" for n in range(12)]
        assert {shard_of(host, 4) for host in hosts} == {0, 1, 2, 3}
        for host in hosts:
            waits = [await reserve(harness, RequestRate(0.1), host) for _ in range(3)]
            assert waits[0] == 0
            assert 10 - CLOCK_SECONDS < (waits[1] or 0) <= 10
            assert 20 - CLOCK_SECONDS < (waits[2] or 0) <= 20


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    pauses=st.lists(st.sampled_from([0, 0, 0, 50, 199, 201, 1_000, 7_000]), min_size=2, max_size=40),
    per_second=st.sampled_from([0.5, 5.0, 7.0, 50.0]),
    burst=st.integers(1, 6),
)
@example(pauses=[0] * 30, per_second=5.0, burst=1)
def test_no_window_has_more_than_the_burst_and_the_rate(
    live_redis: RedisServer, pauses: list[int], per_second: float, burst: int
) -> None:
    """For any arrivals: in each window of time begin at most burst + rate x window requests, and none waits in vain."""

    async def run() -> None:
        async with open_harness(live_redis.port, prefix="window") as harness:
            await harness.client.delete(f"window:{{0}}:requests:{HOST}")
            rate, begins, arrivals = RequestRate(per_second, burst), [], []
            for pause in pauses:
                await harness.later(pause)
                before = await now_of(harness)
                wait = await reserve(harness, rate)
                after = await now_of(harness)
                if wait is not None:
                    begins.append((before + wait, after + wait))
                    arrivals.append((before, wait))
            for first in range(len(begins)):
                for last in range(first, len(begins)):
                    # The instant of a reservation is known up to the time that its call took.
                    window = begins[last][1] - begins[first][0]
                    assert last - first + 1 <= burst + window * per_second + 1e-3
            for n, (arrived, wait) in enumerate(arrivals):
                # Who waits begins when the one `burst` places before it has let one interval pass, and no later.
                assert wait <= max(0.0, n + 1 - burst) / per_second + 1e-3
                assert arrived >= 0

    asyncio.run(run())


async def now_of(harness: QueueHarness) -> float:
    seconds, micros = await harness.client.time()
    return float(seconds + micros / 1e6 + harness.ahead / 1000)

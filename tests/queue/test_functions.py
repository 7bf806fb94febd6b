"""What Redis answers when it cannot, and what becomes of the call; shards; requests and replies."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
import redis.asyncio as redis
from hypothesis import given
from hypothesis import strategies as st
from msgspec import msgpack
from pw_doubles import any_typed
from pw_queue import DONE, QueueHarness, everything, open_harness, plain_client, ref, ticket, wait_until
from pw_servers import RespProxy, redis_server

from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.errors import SchemaMismatch
from pageworker_supervisor.queue.functions import (
    EMPTY_REQUEST,
    Shards,
    batches,
    opaque,
    packed,
    unpacked,
)
from pageworker_supervisor.queue.options import QueueOptions
from pageworker_supervisor.redis_client import Router
from pageworker_supervisor.redis_client.errors import (
    NotReplicated,
    OutOfMemory,
    RedisRefused,
    RedisUnavailable,
    RightMissing,
)
from pageworker_supervisor.redis_client.router import shard_of


@given(st.text(), st.integers(-(2**53), 2**53))
def test_a_request_is_a_map_with_names(text: str, number: int) -> None:
    assert msgpack.decode(packed(text=text, number=number)) == {"text": text, "number": number}


@given(st.binary())
def test_opaque_bytes_are_sent_as_a_string_of_their_length(data: bytes) -> None:
    sent = packed(body=opaque(data))
    header = b"\xdb" + len(data).to_bytes(4, "big")
    assert sent.endswith(header + data)


def test_the_head_of_a_reply_is_its_map() -> None:
    assert unpacked([packed(leases=[{"ref": "acme/j1"}]), b"\xff body"]) == {"leases": [{"ref": "acme/j1"}]}
    assert unpacked([EMPTY_REQUEST]) == {}


class RecordingFunctions:
    """Keeps each call; fails with `error` where one is set."""

    def __init__(self, error: Exception | None = None) -> None:
        self.calls: list[tuple[str, str, Any]] = []
        self.error = error

    async def call(self, function: str, root: str, request: bytes) -> int:
        if self.error is not None:
            raise self.error
        self.calls.append((function, root, unpacked([request])))
        return 1


def shards(count: int, functions: RecordingFunctions) -> Shards:
    return Shards(any_typed(functions), "pw", count)


async def test_a_request_is_sent_by_name_to_the_root_of_the_shard() -> None:
    functions = RecordingFunctions()
    assert await shards(2, functions).call(1, "register_worker", worker="w1") == 1
    assert functions.calls == [("register_worker", "pw:{1}", {"worker": "w1"})]


@pytest.mark.parametrize("count", [1, 4])
async def test_tenants_are_grouped_by_shard_and_none_is_lost(count: int) -> None:
    tenants = [f"t{number}" for number in range(20)]
    seen: dict[int, list[int]] = {}

    async def act(shard: int, indices: Sequence[int]) -> None:
        assert shard not in seen
        seen[shard] = list(indices)

    await shards(count, RecordingFunctions()).by_tenant(tenants, act)
    assert sorted(index for indices in seen.values() for index in indices) == list(range(20))
    assert all(shard_of(tenants[index], count) == shard for shard, indices in seen.items() for index in indices)


async def test_another_schema_has_an_error_of_its_own_and_other_refusals_do_not() -> None:
    with pytest.raises(SchemaMismatch, match="schema version 9"):
        await shards(1, RecordingFunctions(RedisRefused("ResponseError: SCHEMA 9"))).call(0, "claim")
    with pytest.raises(RedisRefused, match="ILLEGAL"):
        await shards(1, RecordingFunctions(RedisRefused("ResponseError: ILLEGALTRANSITION event"))).call(0, "claim")


def test_batches_hold_all_in_order() -> None:
    assert [list(batch) for batch in batches(range(7), 3)] == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(batches([], 3)) == []


async def test_a_primary_without_the_functions_is_given_them(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("j1")])
    await harness.client.function_flush("SYNC")
    lease = await harness.one()
    await harness.client.function_flush("SYNC")
    assert await harness.consumer.finish(lease, **DONE)


async def test_versions_of_the_functions_stand_side_by_side(harness: QueueHarness) -> None:
    other = QueueClient(Router(harness.client, harness.client), prefix="other", options=harness.queue.options)
    await other.load()
    assert other.function("claim") != harness.queue.function("claim")
    await other.producer.enqueue([ticket("j1")])
    assert await harness.take() == []
    assert len((await other.consumer.claim("w1", everything())).leases) == 1


async def test_at_maxmemory_work_ends_and_nothing_new_comes_in() -> None:
    """Unflagged functions are refused: results would be lost."""
    with redis_server(maxmemory="100mb") as server:
        async with open_harness(server.port) as harness:
            await harness.producer.enqueue([ticket(f"j{n}") for n in range(6)])
            leases = await harness.take(capacity=everything(3))
            await harness.client.config_set("maxmemory", "1mb")
            with pytest.raises(OutOfMemory):
                await harness.producer.enqueue([ticket("more")])
            assert not (await harness.consumer.heartbeat("w1", leases)).lost
            assert await harness.consumer.finish(leases[0], **DONE)
            assert await harness.consumer.defer(leases[1], 10, "")
            assert await harness.consumer.requeue(leases[2])
            assert len(await harness.take(capacity=everything(1))) == 1, "claims go on, so that memory comes free"
            await harness.client.config_set("maxmemory", "100mb")
            await harness.later(50_000)
            await harness.client.config_set("maxmemory", "1mb")
            assert (await harness.consumer.reap()).count == 1
            assert await harness.inspection.cancel(ref("j5")) == "cancelled"
            await harness.client.config_set("maxmemory", "100mb")
            assert await harness.producer.enqueue([ticket("more")]) == ["queued"]
            assert await harness.inspection.check_consistency() == []


async def test_a_replica_refuses_and_is_waited_for() -> None:
    with redis_server() as primary, redis_server(replica_of=primary) as replica:
        client = plain_client(replica.port)
        await wait_until(client, "replication", lambda info: info["master_link_status"] == "up")
        queue = QueueClient(Router(client, client))
        with pytest.raises(RedisUnavailable, match="ReadOnly"):
            await queue.load()
        async with open_harness(primary.port):
            pass  # the functions replicate
        queue = QueueClient(Router(client, client), options=QueueOptions(test_clock=True))
        with pytest.raises(RedisUnavailable, match="ReadOnly"):
            await queue.consumer.claim("w1", everything())
        await client.aclose()


async def test_too_few_replicas_are_waited_for() -> None:
    with redis_server() as server:
        async with open_harness(server.port) as harness:
            await harness.producer.enqueue([ticket("j1")])
            await harness.client.config_set("min-replicas-to-write", 1)
            with pytest.raises(RedisUnavailable, match="NOREPLICAS"):
                await harness.consumer.claim("w1", everything())
            with pytest.raises(RedisUnavailable, match="NOREPLICAS"):
                await _hasty(harness).producer.enqueue([ticket("j2")])
            await harness.client.config_set("min-replicas-to-write", 0)
            assert await harness.drain() == ["j1"]


async def test_a_finish_counts_once_the_replicas_have_it() -> None:
    with redis_server() as primary, redis_server(replica_of=primary) as replica:
        async with open_harness(primary.port, replicas=1, replica_wait_seconds=5) as harness:
            await wait_until(harness.client, "replication", lambda info: info["connected_slaves"] == 1)
            await harness.producer.enqueue([ticket("j1"), ticket("j2")])
            first, second = await harness.take()
            assert await harness.consumer.finish(first, **DONE)
            follower = plain_client(replica.port)
            assert await follower.xlen("pw:{0}:results") == 1
            await follower.aclose()
            hasty = _hasty(harness)
            replica.pause()
            with pytest.raises(NotReplicated):
                await hasty.consumer.finish(second, **DONE)
            replica.resume()
            assert await harness.consumer.finish(second, **DONE), "said again, and settled now"
            assert len(await harness.results()) == 2


async def test_a_profile_counts_as_released_once_the_replicas_have_it() -> None:
    """A failover would bring the lock back, and its holder has gone."""
    with redis_server() as primary, redis_server(replica_of=primary) as replica:
        async with open_harness(primary.port, replicas=1, replica_wait_seconds=5) as harness:
            await wait_until(harness.client, "replication", lambda info: info["connected_slaves"] == 1)
            await harness.producer.enqueue([ticket("j1", profile_id="p1")])
            lease = await harness.one()
            await harness.finish([lease])
            held = ("w1", "acme", "p1", lease.profile_fence or 0)
            hasty = _hasty(harness)
            replica.pause()
            with pytest.raises(NotReplicated):
                await hasty.consumer.release_profile(*held)
            replica.resume()
            assert await harness.consumer.release_profile(*held) is False, "it was released before, and is settled now"
            follower = plain_client(replica.port)
            assert not await follower.exists("pw:{0}:profile:acme/p1")
            await follower.aclose()


def _hasty(harness: QueueHarness) -> QueueClient:
    options = QueueOptions(test_clock=True, replicas=1, replica_wait_seconds=0.05)
    return QueueClient(Router(harness.client, harness.client), options=options)


async def test_a_server_that_is_gone_is_unavailable(harness: QueueHarness) -> None:
    with redis_server() as server:
        client = plain_client(server.port)
        queue = QueueClient(Router(client, client))
        await queue.load()
        server.kill()
        with pytest.raises(RedisUnavailable):
            await queue.consumer.claim("w1", everything())
        with pytest.raises(RedisUnavailable):
            await queue.consumer.wait("w1", 1)
        server.restart()
        assert (await queue.consumer.claim("w1", everything())).leases == ()
        await client.aclose()


async def test_missing_rights_are_told_apart_at_once(harness: QueueHarness) -> None:
    """The queue itself waits for nothing; its caller waits for an operator to give the right."""
    await harness.client.execute_command("ACL", "SETUSER", "weak", "on", ">pw", "~other:*", "+@all")
    client = redis.Redis(port=harness.client.connection_pool.connection_kwargs["port"], username="weak", password="pw")
    queue = QueueClient(Router(client, client), options=harness.queue.options)
    with pytest.raises(RightMissing):
        await queue.consumer.claim("w1", everything())
    await client.aclose()


async def test_an_unblocked_wait_is_unavailable_and_not_a_bug(harness: QueueHarness) -> None:
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(_wait(harness))
        async with asyncio.timeout(5):
            while not (blocked := [c for c in await harness.client.client_list() if "b" in c["flags"]]):
                pass
        await harness.client.execute_command("CLIENT", "UNBLOCK", blocked[0]["id"], "ERROR")
    assert waiting.result() == "unavailable"


async def _wait(harness: QueueHarness) -> str:
    try:
        await harness.consumer.wait("w1", 5)
    except RedisUnavailable:
        return "unavailable"
    return "woken"


async def test_a_claim_whose_reply_is_lost_twice_is_repeated_by_the_next(
    harness: QueueHarness, proxied_redis: RespProxy
) -> None:
    """Its jobs would run out, and be charged with a crash that they had no part in."""
    client = plain_client(proxied_redis.port)
    queue = QueueClient(Router(client, client), options=harness.queue.options)
    await queue.load()
    await harness.producer.enqueue([ticket(f"j{n}") for n in range(5)])
    proxied_redis.drop_reply(command="FCALL", times=2)
    with pytest.raises(RedisUnavailable):
        await queue.consumer.claim("w1", everything(3))
    assert (await harness.inspection.stats())[0].running == 3
    claimed = (await queue.consumer.claim("w1", everything(3))).leases
    assert [lease.job_id for lease in claimed] == ["j0", "j1", "j2"]
    assert (await queue.consumer.wait("w1", 1.0)).work, "what else there is must be looked for"
    assert [lease.job_id for lease in (await queue.consumer.claim("w1", everything(3))).leases] == ["j3", "j4"]
    await client.aclose()


async def test_a_shard_that_is_away_takes_no_jobs_of_others_with_it(
    harness: QueueHarness, proxied_redis: RespProxy
) -> None:
    client = plain_client(proxied_redis.port)
    queue = QueueClient(Router(client, client), shards=2, options=harness.queue.options)
    await queue.load()
    await queue.producer.enqueue([ticket("a", tenant="acme"), ticket("b", tenant="bolt")])  # crc32: 0 and 1
    proxied_redis.drop_reply(n=2, command="FCALL", times=2)
    first = (await queue.consumer.claim("w1", everything(4))).leases
    second = (await queue.consumer.claim("w1", everything(4))).leases
    assert len(first) == len(second) == 1
    assert {lease.job_id for lease in (*first, *second)} == {"a", "b"}
    await client.aclose()


async def test_the_outbox_is_looked_at_again_after_a_failure(harness: QueueHarness, proxied_redis: RespProxy) -> None:
    """It was not, until this process made a promise of its own: callbacks of others stayed for ever."""
    client = plain_client(proxied_redis.port)
    queue = QueueClient(Router(client, client), options=harness.queue.options)
    await harness.producer.enqueue([ticket("j1")])
    proxied_redis.cut()
    with pytest.raises(RedisUnavailable):
        await queue.outbox.take(1, 1000)
    proxied_redis.heal()
    assert await harness.consumer.finish(await harness.one(), status="succeeded", result=b"{}", callback="http://x/")
    assert [promise.ref.job_id for promise in await queue.outbox.take(1, 1000)] == ["j1"]
    await client.aclose()


async def test_a_replica_that_stays_away_stops_no_work(harness: QueueHarness) -> None:
    options = QueueOptions(test_clock=True, replicas=1, replica_wait_seconds=0.02, replica_patience_seconds=0.1)
    queue = QueueClient(Router(harness.client, harness.client), options=options)
    refused = 0
    async with asyncio.timeout(5):
        while True:
            try:
                assert await queue.producer.enqueue([ticket("j1")]) in (["queued"], ["duplicate"])
                break
            except NotReplicated:
                refused += 1
    assert refused > 1, "a failover's gap is waited out"
    await harness.finish([await harness.one()])


async def test_a_claim_without_the_right_to_read_says_so_and_is_answered_once_it_is_back() -> None:
    """It used to create the group that was there, and ended the worker with BUSYGROUP."""
    with redis_server() as server:
        async with open_harness(server.port) as harness:
            await harness.producer.enqueue([ticket("j1"), ticket("j2")])
            first = await harness.one()
            server.command("ACL", "SETUSER", "default", "-xreadgroup")
            with pytest.raises(RightMissing):
                await harness.take()
            server.command("ACL", "SETUSER", "default", "+xreadgroup")
            second = await harness.one()
            assert {first.job_id, second.job_id} == {"j1", "j2"}
            await harness.finish([first, second])

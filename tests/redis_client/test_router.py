"""Routing on a cluster that moves slots, and to one server; writes that wait for replicas; shards."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio as redis
from hypothesis import given
from hypothesis import strategies as st
from pw_servers import Cluster, RedisServer
from redis import exceptions as rx

from pageworker_supervisor.config.settings import RedisSettings
from pageworker_supervisor.redis_client import RedisClient, Router, open_redis_client
from pageworker_supervisor.redis_client.errors import NotReplicated, OutOfMemory, RedisRefused
from pageworker_supervisor.redis_client.router import SHORTEST_WAIT_MS, ReplicatedWrites, root, run_pipeline, shard_of


@pytest.mark.parametrize(("tenant_id", "shard"), [("acme", 0), ("bolt", 1)])
def test_a_tenant_stays_on_its_shard_over_releases(tenant_id: str, shard: int) -> None:
    """Another hash would leave every waiting job on a shard where no worker looks for it."""
    assert shard_of(tenant_id, 2) == shard


@given(st.text(max_size=63), st.integers(1, 64))
def test_a_shard_is_in_range(tenant_id: str, shards: int) -> None:
    assert 0 <= shard_of(tenant_id, shards) < shards


def test_tenants_are_spread_over_all_shards() -> None:
    counts = Counter(shard_of(f"tenant-{number}", 8) for number in range(4000))
    assert len(counts) == 8
    assert max(counts.values()) < 2 * min(counts.values())


def test_a_root_has_the_hash_tag_of_its_shard() -> None:
    assert root("pw", 3) == "pw:{3}"


KEY = "{7}:k"


@pytest.fixture
async def router(live_cluster: Cluster) -> AsyncIterator[RedisClient]:
    async with open_redis_client(RedisSettings(url=live_cluster.url), Path("/nonexistent")) as redis_client:
        yield redis_client


async def test_commands_sent_together_share_a_connection(router: RedisClient) -> None:
    first, second = await router.send_together([("CLIENT", "ID"), ("CLIENT", "ID")], key=KEY)
    assert first == second


async def test_wait_counts_the_write_before_it(router: RedisClient) -> None:
    assert await router.send_together([("SET", KEY, 1), ("WAIT", 1, 5000)], key=KEY) == [True, 1]


async def test_commands_sent_together_follow_a_slot_that_moves(router: RedisClient, live_cluster: Cluster) -> None:
    slot = live_cluster.slot(KEY)
    home = live_cluster.owner(slot)
    target = next(node for node in live_cluster.primaries() if node is not home)
    await router.send_together([("SET", KEY, 1), ("GET", KEY)], key=KEY)
    live_cluster.start_migration(slot, target)
    # A key that is not there any more is asked for at the target: the first two are redirected by ASK.
    absent = "{7}:absent"
    assert await router.send_together([("SET", absent, 2), ("GET", absent)], key=absent) == [True, b"2"]
    assert await router.send_together([("GET", KEY), ("GET", absent)], key=KEY) == [b"1", b"2"]
    live_cluster.migrate_slot(slot, target)
    assert await router.send_together([("INCR", KEY), ("GET", absent)], key=KEY) == [2, b"2"], "MOVED is followed"
    assert (await router.primary_of(KEY)).endswith(f":{target.port}"), "and remembered"
    live_cluster.migrate_slot(slot, home)


async def test_an_error_reply_leaves_the_connection_in_step(router: RedisClient) -> None:
    with pytest.raises(RedisRefused):
        await router.send_together([("SET", KEY, "text"), ("INCR", KEY), ("GET", KEY)], key=KEY)
    assert await router.send_together([("GET", KEY)], key=KEY) == [b"text"]


async def test_every_primary_gets_a_command_though_one_fails(router: RedisClient, live_cluster: Cluster) -> None:
    """The functions must reach the primaries that answer."""
    library = "#!lua name=reached\nredis.register_function('reached', function() end)"
    await router.send("PING", key=KEY)
    full, *others = live_cluster.primaries()
    full.command("CONFIG", "SET", "maxmemory", "1")
    try:
        with pytest.raises(OutOfMemory):
            await router.send_to_primaries("FUNCTION LOAD", "REPLACE", library)
        assert len(others) > 1
        assert all(node.command("FUNCTION", "LIST", "LIBRARYNAME", "reached") for node in others)
    finally:
        full.command("CONFIG", "SET", "maxmemory", "0")
        for node in others:
            node.command("FUNCTION", "DELETE", "reached")


async def test_a_standalone_server_is_every_keys_primary(live_redis: RedisServer) -> None:
    async with open_redis_client(RedisSettings(url=live_redis.url), Path("/nonexistent")) as router:
        assert await router.primary_of("any") == ""
        assert await router.send_to_primaries("PING") == [True]
        assert await router.send_together([("SET", "k", 1), ("GET", "k")], key="k") == [True, b"1"]


async def test_a_cancelled_call_leaves_no_reply_for_the_next(router: RedisClient, live_cluster: Cluster) -> None:
    await router.send_together([("SET", KEY, 1)], key=KEY)
    node = live_cluster.owner(live_cluster.slot(KEY))
    node.command("CLIENT", "PAUSE", 60_000, "WRITE")
    try:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await router.send_together([("SET", KEY, 2), ("PING",)], key=KEY)
    finally:
        node.command("CLIENT", "UNPAUSE")
    assert await router.send_together([("PING",), ("SET", KEY, 3), ("GET", KEY)], key=KEY) == [True, True, b"3"]


WRITE = ("SET", "k", "v")


class ScriptedRouter(Router):
    """Every primary has one number of replicas that confirm. Records what is sent."""

    def __init__(self, confirming: int) -> None:
        self.confirming = confirming
        self.sent: list[Sequence[Any]] = []

    async def send(self, *words: Any, key: str, blocks: bool = False) -> Any:
        self.sent.append(words)
        return "stored"

    async def send_together(self, commands: Sequence[Sequence[Any]], *, key: str, blocks: bool = False) -> list[Any]:
        self.sent += commands
        return ["stored", self.confirming]

    async def primary_of(self, key: str) -> str:
        return key


async def test_without_replicas_nothing_is_waited_for() -> None:
    router = ScriptedRouter(0)
    assert await ReplicatedWrites(router, 0, 1, 1).send(WRITE, key="k") == "stored"
    assert router.sent == [WRITE]


async def test_a_confirmed_write_returns_its_reply() -> None:
    router = ScriptedRouter(2)
    assert await ReplicatedWrites(router, 2, 0.5, 1).send(WRITE, key="k") == "stored"
    assert router.sent == [WRITE, ("WAIT", 2, 500)]


async def test_a_shortage_is_raised_until_it_has_lasted() -> None:
    router = ScriptedRouter(0)
    writes = ReplicatedWrites(router, 1, 0.5, 0.05)
    refused = 0
    async with asyncio.timeout(5):
        while True:
            try:
                assert await writes.send(WRITE, key="k") == "stored"
                break
            except NotReplicated:
                refused += 1
                await asyncio.sleep(0)
    assert refused
    assert router.sent[-1] == ("WAIT", 1, SHORTEST_WAIT_MS), "writes are not held up by a replica that is lost for good"


async def test_a_confirmation_ends_the_shortage() -> None:
    router = ScriptedRouter(0)
    writes = ReplicatedWrites(router, 1, 0.5, 3600)
    with pytest.raises(NotReplicated, match="0 of 1"):
        await writes.send(WRITE, key="k")
    router.confirming = 1
    await writes.send(WRITE, key="k")
    assert writes._short_since == {}


async def test_each_primary_has_a_shortage_of_its_own() -> None:
    router = ScriptedRouter(0)
    writes = ReplicatedWrites(router, 1, 0.5, 0.0)
    with pytest.raises(NotReplicated):
        await writes.send(WRITE, key="first")
    assert await writes.send(WRITE, key="first") == "stored"
    with pytest.raises(NotReplicated):
        await writes.send(WRITE, key="second")


async def test_replies_come_in_order_and_the_first_error_is_raised_as_it_came(live_redis: RedisServer) -> None:
    client = redis.Redis(port=live_redis.port)
    try:
        assert await run_pipeline(client, [("SET", "k", "text"), ("GET", "k"), ("STRLEN", "k")]) == [True, b"text", 4]
        with pytest.raises(rx.ResponseError, match=r"^value is not an integer"):
            await run_pipeline(client, [("INCR", "k"), ("SET", "k", "after"), ("HGET", "k", "f")])
        assert await client.get("k") == b"after", "the commands behind a failed one run: it is not a transaction"
    finally:
        await client.aclose()

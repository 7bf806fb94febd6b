"""An old index that is replayed to a new worker is refused, because other workers have accepted a newer one."""

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
from pw_modules.author import Author, packed
from pw_servers import RedisServer
from redis.asyncio import Redis

from pageworker_supervisor.config.module_settings import ModuleSettings
from pageworker_supervisor.config.settings import RedisSettings, Settings
from pageworker_supervisor.redis_client import RedisClient, open_redis_client
from pageworker_supervisor.registry import Registry
from pageworker_supervisor.registry.fleet_serial import FleetSerial, IndexBehindFleet, registry_key, seen, set_serial
from pageworker_supervisor.telemetry.metrics import Metrics

HOME = Path("/var/lib/pageworker")


@pytest.fixture
async def redis_client(live_redis: RedisServer) -> AsyncIterator[RedisClient]:
    async with open_redis_client(RedisSettings(url=live_redis.url), HOME) as opened:
        yield opened


def settings_for(place: Path) -> Settings:
    return Settings(modules=ModuleSettings(registry=str(place)))


def fleet(redis_client: RedisClient, place: Path, name: str, metrics: Metrics | None = None) -> FleetSerial:
    return FleetSerial(redis_client, settings_for(place), HOME, name, metrics or Metrics())


async def replayed(place: Path, author: Author) -> tuple[int, int]:
    """Publish two indexes and keep a copy of the older one. Returns both serials."""
    await author.publish(place, packed(version="1.0.0"))
    old = place.with_name("old")
    shutil.copytree(place, old)
    await author.publish(place, packed(version="1.1.0"))
    newer = json.loads((place / "index.json").read_bytes())["serial"]
    return json.loads((old / "index.json").read_bytes())["serial"], newer


async def test_a_new_worker_refuses_an_index_that_the_fleet_has_replaced(
    place: Path, state: Path, author: Author, redis_client: RedisClient, live_redis: RedisServer
) -> None:
    old, newer = await replayed(place, author)
    first = await Registry.open(place, author.trust, state / "1", fleet=fleet(redis_client, place, "w1"))
    assert first.resolve("shop.product").version == "1.1.0"
    shutil.rmtree(place)
    shutil.copytree(place.with_name("old"), place)
    alone = await Registry.open(place, author.trust, state / "2")
    assert alone.resolve("shop.product").version == "1.0.0", "without the fleet's memory it is believed"
    metrics = Metrics()
    async with aclosing(Redis(port=live_redis.port)) as client, client.pubsub() as events:
        await events.subscribe("pw:events:_fleet")
        await events.get_message(timeout=5)
        fresh = await Registry.open(place, author.trust, state / "3", fleet=fleet(redis_client, place, "w3", metrics))
        message = await events.get_message(ignore_subscribe_messages=True, timeout=5)
    with pytest.raises(IndexBehindFleet, match=f"index {old} is older than index {newer}"):
        fresh.resolve("shop.product")
    assert "workerctl module serial" in (fresh.status.trouble or "")
    told = json.loads(message["data"])
    assert (told["event"], told["worker_id"]) == ("registry_refused", "w3")
    assert str(newer) in told["detail"]["reason"]
    exposed = metrics.expose().decode()
    assert 'pageworker_index_refusals_total{reason="module_untrusted"} 1.0' in exposed
    assert 'pageworker_signature_failures_total{reason="rolled_back"} 1.0' in exposed
    with pytest.raises(IndexBehindFleet):
        await fresh.refresh()
    exposed = metrics.expose().decode()
    assert 'pageworker_signature_failures_total{reason="rolled_back"} 2.0' in exposed, "at each try"
    assert 'pageworker_index_refusals_total{reason="module_untrusted"} 1.0' in exposed, "once, when it is new"
    assert f"pageworker_registry_serial {float(newer)!r}" in exposed or "pageworker_registry_serial 1." in exposed


async def test_a_worker_keeps_the_index_that_it_has(
    place: Path, state: Path, author: Author, redis_client: RedisClient
) -> None:
    await author.publish(place, packed(version="1.0.0"))
    one = await Registry.open(place, author.trust, state / "1", fleet=fleet(redis_client, place, "w1"))
    key = registry_key(settings_for(place), HOME)
    await set_serial(redis_client, key, 2**50)
    restarted = await Registry.open(place, author.trust, state / "1", fleet=fleet(redis_client, place, "w1"))
    for registry in (one, restarted):
        assert registry.resolve("shop.product").version == "1.0.0"
    assert "other workers have accepted" in (restarted.status.trouble or "")


async def test_the_way_out_of_a_serial_that_does_not_exist(
    place: Path, state: Path, author: Author, redis_client: RedisClient
) -> None:
    """A wrong serial was written into Redis: it is enough that an operator sets it."""
    await author.publish(place, packed(version="1.0.0"))
    key = registry_key(settings_for(place), HOME)
    await set_serial(redis_client, key, 2**50)
    registry = await Registry.open(place, author.trust, state, fleet=fleet(redis_client, place, "w1"))
    with pytest.raises(IndexBehindFleet):
        registry.resolve("shop.product")
    await set_serial(redis_client, key, 0)
    await registry.refresh()
    assert registry.resolve("shop.product").version == "1.0.0"
    known = await seen(redis_client, key)
    assert known is not None
    assert known.worker == "w1"


async def test_an_emptied_redis_learns_it_again(
    place: Path, state: Path, author: Author, redis_client: RedisClient, live_redis: RedisServer
) -> None:
    await author.publish(place, packed(version="1.0.0"))
    await Registry.open(place, author.trust, state / "1", fleet=fleet(redis_client, place, "w1"))
    live_redis.command("FLUSHALL")
    registry = await Registry.open(place, author.trust, state / "2", fleet=fleet(redis_client, place, "w2"))
    assert registry.resolve("shop.product").version == "1.0.0"
    assert await seen(redis_client, registry_key(settings_for(place), HOME)) is not None


async def test_two_registries_never_share_a_serial(place: Path, redis_client: RedisClient) -> None:
    await fleet(redis_client, place, "w1").check(100)
    await fleet(redis_client, place.with_name("other"), "w1").check(1)
    with pytest.raises(IndexBehindFleet):
        await fleet(redis_client, place, "w2").check(99)
    await fleet(redis_client, place, "w2").check(100)


@pytest.mark.parametrize("nonsense", ["x", "-5", "1e300", ""])
async def test_nonsense_in_redis_stops_no_worker(nonsense: str, place: Path, redis_client: RedisClient) -> None:
    key = registry_key(settings_for(place), HOME)
    await redis_client.send("HSET", key, "serial", nonsense, key=key)
    await fleet(redis_client, place, "w1").check(7)


async def test_full_memory_keeps_modules_available(
    place: Path, redis_client: RedisClient, live_redis: RedisServer
) -> None:
    live_redis.command("CONFIG", "SET", "maxmemory", "1")
    try:
        await fleet(redis_client, place, "w1").check(7)
    finally:
        live_redis.command("CONFIG", "SET", "maxmemory", "0")


async def test_a_version_that_does_not_load_is_reported_to_operators(
    place: Path, redis_client: RedisClient, live_redis: RedisServer
) -> None:
    metrics = Metrics()
    one = fleet(redis_client, place, "w1", metrics)
    async with aclosing(Redis(port=live_redis.port)) as client, client.pubsub() as events:
        await events.subscribe("pw:events:_fleet")
        await events.get_message(timeout=5)
        await one.report_load_failure("shop.product", "1.1.0", "acme", "no `x`" * 1000)
        message = await events.get_message(ignore_subscribe_messages=True, timeout=5)
    told = json.loads(message["data"])
    assert (told["event"], told["worker_id"]) == ("module_refused", "w1")
    assert told["detail"]["reason"].startswith("no `x`")
    assert len(message["data"]) < 1000
    del told["detail"]["reason"]
    assert told["detail"] == {"module": "shop.product", "version": "1.1.0", "tenant_id": "acme"}
    assert "pageworker_module_load_failures_total 1.0" in metrics.expose().decode()

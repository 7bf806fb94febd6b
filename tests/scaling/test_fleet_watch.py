"""Watching the fleet: standalone, Sentinel, Cluster, a Redis that freezes or goes away, two processes at once."""

import asyncio
from pathlib import Path

import pytest
from pw_queue import ticket
from pw_servers import Cluster, RedisServer, Sentinels, redis_server
from redis_client.test_acl import SHIPPED, url_of
from scaling.conftest import FleetClients, fleet_clients

from pageworker_supervisor.scaling import fleet_watch
from pageworker_supervisor.scaling.fleet_watch import FleetUnreadable, FleetWatch
from pageworker_supervisor.scaling.history import slot_of


def watch_of(fleet: FleetClients) -> FleetWatch:
    return FleetWatch(fleet.redis_client, fleet.queue, fleet.settings)


async def readable(watch: FleetWatch) -> None:
    """Until a reading succeeds."""
    async with asyncio.timeout(30):
        await watch.turn()
        while watch.trouble:
            await watch.turn()


async def test_one_job_wakes_a_fleet_of_zero(live_redis: RedisServer) -> None:
    async with fleet_clients(live_redis.url) as fleet:
        assert (await watch_of(fleet).look(keep=False)).decision.wanted_workers == 0
        live_redis.command("LPUSH", "pw:inbox", "{}")
        look = await watch_of(fleet).look()
        assert look.decision.wanted_workers == 1
        assert (await fleet.send("XLEN", "pw:{0}:scaling")) == 1


async def test_looking_once_keeps_nothing(live_redis: RedisServer) -> None:
    async with fleet_clients(live_redis.url) as fleet:
        await fleet.queue.load()
        await watch_of(fleet).look(keep=False)
        assert live_redis.command("EXISTS", "pw:{0}:scaling") == 0


async def test_two_processes_show_the_decision_of_the_first_one_of_an_interval(live_redis: RedisServer) -> None:
    async with fleet_clients(live_redis.url) as one, fleet_clients(live_redis.url, max_workers=3) as other:
        live_redis.command("RPUSH", "pw:inbox", *(str(number) for number in range(1000)))
        while True:
            looks = [
                await watch_of(fleet).look(keep=keep) for fleet, keep in ((one, True), (other, True), (other, False))
            ]
            if len({slot_of(look.state.at) for look in looks}) == 1:
                break
        first, second, third = looks
        assert first.decision == second.decision == third.decision
        assert first.decision.wanted_workers > 3


async def test_sentinel(live_sentinel: Sentinels) -> None:
    async with fleet_clients(live_sentinel.url) as fleet:
        await fleet.queue.producer.enqueue([ticket("j1")])
        look = await watch_of(fleet).look()
        assert (look.decision.wanted_workers, look.state.jobs["queued"]) == (1, 1)


async def test_cluster_with_shards_on_every_primary(live_cluster: Cluster) -> None:
    async with fleet_clients(live_cluster.url, shards=6) as fleet:
        await fleet.queue.producer.enqueue([ticket("j", f"t{number}") for number in range(24)])
        await fleet.send("RPUSH", "pw:inbox", "{}")
        await fleet.send("HSET", "pw:{0}:worker_reports", "w", "nonsense")
        watch = watch_of(fleet)
        looks = [await watch.look() for _ in range(2)]
        assert looks[0].state.jobs["queued"] == 24
        assert looks[0].state.load.waiting == 25
        assert looks[1].state.memory is not None
        assert looks[1].state.memory.used_bytes > 3 * 500_000, "of three primaries"


async def test_the_shipped_user_of_workers_may_do_it_all(tmp_path: Path) -> None:
    acl_file = tmp_path / "shipped.acl"
    acl_file.write_text(SHIPPED.replace("off resetpass", "on >secret"))
    with redis_server(acl_file=acl_file) as server:
        async with fleet_clients(url_of(server, "pageworker")) as fleet:
            await fleet.queue.load()
            look = await watch_of(fleet).look()
            assert look.state.memory is not None


async def test_a_frozen_redis_is_named_and_old_numbers_are_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_watch, "READ_SECONDS", 0.5)
    with redis_server() as server:
        async with fleet_clients(server.url) as fleet:
            watch = watch_of(fleet)
            assert watch.trouble
            await readable(watch)
            assert watch.numbers()["redis_up"] == 1
            server.pause()
            await watch.turn()
            assert watch.trouble == "Redis does not answer within 0.5 s"
            assert watch.numbers() == {"redis_up": 0}
            with pytest.raises(FleetUnreadable, match="does not answer"):
                watch.current()
            server.resume()
            await readable(watch)
            assert watch.current().decision.wanted_workers == 0
            server.kill()
            await watch.turn()
            assert "Redis does not answer" in watch.trouble
            server.start()
            await readable(watch)

"""A worker puts the limits of its configuration in force, and keeps them there."""

from pathlib import Path

from pw_servers import RedisServer
from pw_worker import Echoes, echoes

from pageworker_supervisor.config.settings import Settings, TenantSettings
from pageworker_supervisor.queue.limits_table import LimitsTable, limits_table
from pageworker_supervisor.queue.producer import QuotaLimits

OWN = limits_table(Settings(tenants={"*": TenantSettings()}))
OTHER = LimitsTable(tenants={"*": QuotaLimits(concurrency=1)})


async def test_a_worker_that_starts_sets_its_limits(worker: Echoes) -> None:
    assert await worker.queue.limits.ids() == [OWN.id]


async def test_limits_that_redis_lost_are_set_again(live_redis: RedisServer, registry_key: tuple[Path, str]) -> None:
    """A failover may take back the write, or an older worker may have had the first word."""
    async with echoes(live_redis.url, live_redis, registry_key, lease_ms=600) as worker:
        await worker.client.hdel("pw:{0}:meta", "limits")
        while await worker.queue.limits.ids() != [OWN.id]:
            await worker.turn()


async def test_other_limits_of_the_same_version_stay(live_redis: RedisServer, registry_key: tuple[Path, str]) -> None:
    """Two workers with different files must not take turns in replacing each other's limits."""
    async with echoes(live_redis.url, live_redis, registry_key, lease_ms=600) as worker:
        assert await worker.queue.limits.set(OTHER) == "set"
        before = (await worker.client.info("commandstats"))["cmdstat_fcall"]["calls"]
        while (await worker.client.info("commandstats"))["cmdstat_fcall"]["calls"] < before + 8:
            await worker.turn()  # some heartbeats
        assert await worker.queue.limits.ids() == [OTHER.id]


async def test_changed_settings_are_in_force_at_once(worker: Echoes) -> None:
    changed = Settings(tenants={"*": TenantSettings(concurrency=1)})
    await worker.components.limits.apply(changed, version=3)
    assert await worker.queue.limits.ids() == [limits_table(changed, 3).id]

"""The checks of `workerctl doctor` on a Redis."""

from pathlib import Path

from pw_servers import Cluster, RedisServer, Sentinels, redis_server

from pageworker_supervisor.config.settings import RedisSettings
from pageworker_supervisor.redis_client import open_redis_client
from pageworker_supervisor.redis_client.preflight import RedisCheck, preflight


async def asked(url: str) -> dict[str, RedisCheck]:
    async with open_redis_client(RedisSettings(url=url), Path("/nonexistent")) as redis_client:
        return {check.name: check for check in await preflight(redis_client)}


def failed(checks: dict[str, RedisCheck]) -> set[str]:
    bad = {name for name, check in checks.items() if not check.ok}
    assert all(checks[name].mend for name in bad)
    return bad


async def test_a_good_server_has_advice_only() -> None:
    with redis_server(aof=True, maxmemory="1gb") as server:
        checks = await asked(server.url)
    assert not failed(checks)
    assert checks["redis persistence"].found == "appendonly"
    assert checks["redis maxmemory-policy"].found == "noeviction"
    assert {name for name, check in checks.items() if check.mend} == {"redis replicas"}


async def test_eviction_is_an_error_where_memory_is_bounded(live_redis: RedisServer) -> None:
    with redis_server(options=["--maxmemory-policy", "allkeys-lru"]) as server:
        unbounded = await asked(server.url)
        server.command("CONFIG", "SET", "maxmemory", "1gb")
        bounded = await asked(server.url)
    assert unbounded["redis maxmemory-policy"].mend
    assert not failed(unbounded)
    assert failed(bounded) == {"redis maxmemory-policy"}
    assert "appendonly yes" in (await asked(live_redis.url))["redis persistence"].mend


async def test_a_replica_is_no_place_to_write(live_sentinel: Sentinels) -> None:
    checks = await asked(live_sentinel.replica.url)
    assert "redis role" in failed(checks)
    assert "redis+sentinel" in checks["redis role"].mend
    assert not failed(await asked(live_sentinel.url))


async def test_a_cluster_has_to_be_named_as_one(live_cluster: Cluster) -> None:
    checks = await asked(live_cluster.url)
    assert not failed(checks)
    assert checks["redis cluster"].found == "ok"
    assert checks["redis answers"].found.endswith("3 primaries")
    alone = await asked(live_cluster.owner(0).url)
    assert failed(alone) == {"redis cluster"}


async def test_missing_rights_are_named(live_redis: RedisServer) -> None:
    live_redis.command("ACL", "SETUSER", "weak", "on", ">x", "~*", "+info", "+ping", "+time", "+client|setname")
    checks = await asked(f"redis://weak:x@127.0.0.1:{live_redis.port}")
    live_redis.command("ACL", "DELUSER", "weak")
    assert failed(checks) == {"redis rights"}
    assert "'eval'" in checks["redis rights"].found
    assert "pageworker.acl" in checks["redis rights"].mend


async def test_no_server_answers() -> None:
    checks = await asked("redis://:secret@127.0.0.1:1")
    assert failed(checks) == {"redis answers"}
    assert "secret" not in checks["redis answers"].found

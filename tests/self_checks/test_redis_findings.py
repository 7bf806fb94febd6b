"""What a reading of Redis means, for servers of each kind."""

from typing import Any

import pytest
from msgspec.structs import replace

from pageworker_supervisor.self_checks.clocks import ClockReading
from pageworker_supervisor.self_checks.finding import Finding
from pageworker_supervisor.self_checks.redis_findings import redis_findings, start_findings
from pageworker_supervisor.self_checks.redis_reading import RedisReading

INFO = {
    "redis_version": "7.0.15",
    "role": "master",
    "maxmemory": 0,
    "maxmemory_policy": "noeviction",
    "aof_enabled": 1,
    "connected_slaves": 1,
    "cluster_enabled": 0,
}
CLOCKS = ClockReading(100.0, 100.1, 5.0, (100.05,))


def reading(*infos: dict[str, Any], **more: Any) -> RedisReading:
    """Of a good Redis whose primaries have these differences."""
    all_infos = tuple({**INFO, **info} for info in infos or ({},))
    policies = tuple(str(info["maxmemory_policy"]) for info in all_infos)
    good = RedisReading(False, all_infos, policies, ("always",), CLOCKS, False, (), None, {"pw:{0}": "1"})
    return replace(good, **more)


def found(reading: RedisReading, *, replicated: bool = True, ingress: RedisReading | None = None) -> dict[str, Finding]:
    """Every finding by its name. No name comes twice."""
    findings = [*redis_findings(reading, replicated=replicated, ingress=ingress), *start_findings(reading)]
    by_name = {finding.name: finding for finding in findings}
    assert len(by_name) == len(findings)
    assert all(finding.mend for finding in findings if not finding.ok or not finding.known)
    return by_name


def failed(reading: RedisReading, **more: Any) -> set[str]:
    return {name for name, finding in found(reading, **more).items() if not finding.ok}


def test_a_good_redis_passes_without_advice() -> None:
    assert not [one for one in found(reading()).values() if not one.ok or one.mend or not one.known]


@pytest.mark.parametrize(
    ("bad", "name", "words"),
    [
        (reading({"redis_version": "6.2.14"}), "redis_version", "install Redis 7.0"),
        (reading({}, {"redis_version": "6.0"}, is_cluster=True), "redis_version", "install Redis 7.0"),
        (reading({"cluster_enabled": 1}), "redis_topology", "redis+cluster://"),
        (reading({"role": "slave"}), "redis_role", "redis+sentinel://"),
        (reading({}, is_cluster=True, cluster_states=("ok", "fail")), "redis_role", "--cluster check"),
        (reading({"maxmemory": 1, "maxmemory_policy": "allkeys-lru"}), "redis_eviction", "noeviction"),
        (reading({"maxmemory": 1, "maxmemory_policy": "volatile-ttl"}), "redis_eviction", "noeviction"),
        (reading({"aof_enabled": 0}), "redis_persistence", "appendonly yes"),
        (reading({"aof_last_write_status": "err"}), "redis_persistence", "disk is full"),
        (reading(fsyncs=("always", "no")), "redis_fsync", "appendfsync"),
        (reading({"connected_slaves": 0}), "redis_replicas", "start the lost replica"),
        (reading(clocks=ClockReading(100.0, 100.1, 5.0, (106.0,))), "redis_clock", "chrony"),
        (reading(missing_rights=("no FCALL",)), "redis_rights", "pageworker.acl"),
        (reading(schemas={"pw:{0}": "1", "pw:{1}": "2"}), "queue_schema", "upgrade this worker"),
        (reading(schemas={"pw:{0}": "0"}), "queue_schema", "drain"),
        (reading(schemas={"pw:{0}": "none"}), "queue_schema", "drain"),
    ],
)
def test_one_fault_fails_one_check_with_how_to_fix_it(bad: RedisReading, name: str, words: str) -> None:
    assert failed(bad) == {name}
    assert words in found(bad)[name].mend


def test_without_a_limit_of_memory_an_eviction_policy_is_advice() -> None:
    policy = found(reading({"maxmemory_policy": "allkeys-lru"}))["redis_eviction"]
    assert (policy.ok, policy.found, "before you set maxmemory" in policy.mend) == (True, "allkeys-lru", True)


def test_a_redis_that_never_had_a_replica_gets_advice() -> None:
    alone = found(reading({"connected_slaves": 0}), replicated=False)["redis_replicas"]
    assert (alone.ok, "add a replica" in alone.mend) == (True, True)


def test_a_limit_that_a_service_hides_counts_as_one() -> None:
    hidden = {key: value for key, value in INFO.items() if not key.startswith("maxmemory")}
    assert failed(reading(infos=(hidden,), policies=("allkeys-lru",))) == {"redis_eviction"}


def test_what_a_user_may_not_ask_is_not_known_and_does_not_fail() -> None:
    blind = RedisReading(False, None)
    unknown = {name for name, finding in found(blind).items() if not finding.known}
    assert unknown == {
        "redis_version",
        "redis_persistence",
        "redis_replicas",
        "redis_eviction",
        "redis_clock",
        "redis_fsync",
    }
    assert not failed(blind)
    assert found(blind)["redis_fsync"].found == "unknown: the right to CONFIG GET is missing"


def test_a_service_that_does_not_tell_of_its_append_only_file() -> None:
    silent = {key: value for key, value in INFO.items() if key != "aof_enabled"}
    told = found(reading(infos=(silent,)))["redis_persistence"]
    assert (told.ok, told.known) == (True, False)


def test_the_redis_of_producers_must_not_evict_either() -> None:
    ingress = reading({"maxmemory": 1, "maxmemory_policy": "allkeys-lru", "redis_version": "6.2.0"})
    assert failed(reading(), ingress=ingress) == {"redis_eviction"}
    assert found(reading(), ingress=ingress)["redis_eviction"].found == "redis.ingress_url: allkeys-lru"

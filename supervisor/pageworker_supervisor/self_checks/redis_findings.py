"""What a reading of Redis means: one finding per check, and how to fix it. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pageworker_supervisor.queue.library import SCHEMA_VERSION
from pageworker_supervisor.self_checks.clocks import APART_SECONDS, ClockReading
from pageworker_supervisor.self_checks.finding import Finding, unknown, worst
from pageworker_supervisor.self_checks.redis_reading import NO_SCHEMA, RedisReading

OLDEST_VERSION = (7, 0)
ASK_RIGHT = "give the user of redis.url this right, or ask who runs this Redis"
INGRESS = "redis.ingress_url"

Infos = Sequence[Mapping[str, Any]]


def redis_findings(reading: RedisReading, *, replicated: bool, ingress: RedisReading | None = None) -> list[Finding]:
    """Every check that is repeated while the worker serves.

    `replicated`: whether this Redis has had replicas, or is built for them. `ingress`: of `redis.ingress_url`.
    """
    infos = reading.infos
    no_info = [unknown(name, "INFO", ASK_RIGHT) for name in ("redis_version", "redis_persistence", "redis_replicas")]
    found = no_info if infos is None else [_version(infos), _persistence(infos), _replicas(infos, replicated)]
    found += [_eviction(reading), _clock(reading.clocks)]
    if ingress is not None:
        found += _of_ingress(ingress)
    names = dict.fromkeys(finding.name for finding in found)
    return [worst(finding for finding in found if finding.name == name) for name in names]


def start_findings(reading: RedisReading) -> Iterator[Finding]:
    """Every other check."""
    if reading.infos is not None:
        yield _topology(reading.is_cluster, reading.infos)
        yield _role(reading.infos, reading.cluster_states)
    yield _fsync(reading)
    yield _rights(reading.missing_rights)
    yield _schema(reading.schemas)


def _of_ingress(reading: RedisReading) -> list[Finding]:
    checks = [_eviction(reading)]
    if reading.infos is not None:
        checks.append(_persistence(reading.infos))
    return [Finding(one.name, one.ok, f"{INGRESS}: {one.found}", one.mend, one.known) for one in checks]


def _version(infos: Infos) -> Finding:
    oldest = min((str(info["redis_version"]) for info in infos), key=_numbers)
    fine = _numbers(oldest) >= OLDEST_VERSION
    return Finding("redis_version", fine, oldest, "" if fine else "install Redis 7.0 or later: it has Functions")


def _topology(is_cluster: bool, infos: Infos) -> Finding:
    node = any(int(info.get("cluster_enabled", 0)) for info in infos)
    if node and not is_cluster:
        mend = "write redis.url as redis+cluster://host:port,…"
        return Finding("redis_topology", False, "a node of a cluster, but redis.url names one server", mend)
    count = f"{len(infos)} primar{'y' if len(infos) == 1 else 'ies'}"
    return Finding("redis_topology", True, f"cluster, {count}" if is_cluster else count)


def _role(infos: Infos, cluster_states: Sequence[str] | None) -> Finding:
    roles = {str(info.get("role", "unknown")) for info in infos}
    if roles != {"master"}:
        mend = "point redis.url at the primary, or at its Sentinels: redis+sentinel://…/service"
        return Finding("redis_role", False, ", ".join(sorted(roles)), mend)
    if broken := set(cluster_states or ()) - {"ok"}:
        state = f"the cluster's state is {', '.join(sorted(broken))}"
        return Finding("redis_role", False, state, "run redis-cli --cluster check host:port")
    return Finding("redis_role", True, "primary")


def _eviction(reading: RedisReading) -> Finding:
    name = "redis_eviction"
    if reading.policies is None:
        return unknown(name, "CONFIG GET", f"{ASK_RIGHT}. maxmemory-policy must be noeviction")
    policies = ", ".join(sorted(set(reading.policies)))
    if policies == "noeviction":
        return Finding(name, True, policies)
    # A service that hides the limit has one.
    bounded = any(int(info.get("maxmemory", 1)) for info in reading.infos or ({},))
    if not bounded:
        advice = "without maxmemory Redis evicts nothing; set maxmemory-policy noeviction before you set maxmemory"
        return Finding(name, True, policies, advice)
    mend = "run CONFIG SET maxmemory-policy noeviction: with any other policy Redis deletes jobs and locks"
    return Finding(name, False, policies, mend)


def _persistence(infos: Infos) -> Finding:
    name = "redis_persistence"
    if any(info.get("aof_last_write_status", "ok") != "ok" for info in infos):
        mend = "check Redis' log and whether its disk is full"
        return Finding(name, False, "the last write of the append-only file failed", mend)
    if any("aof_enabled" not in info for info in infos):
        return Finding(name, True, "unknown: INFO does not tell", "ask who runs this Redis", known=False)
    if not all(int(info["aof_enabled"]) for info in infos):
        mend = 'set appendonly yes: without it a restart of Redis loses jobs. Or accept that: redis_persistence = "off"'
        return Finding(name, False, "no append-only file", mend)
    return Finding(name, True, "append-only file")


def _fsync(reading: RedisReading) -> Finding:
    name = "redis_fsync"
    if reading.fsyncs is None:
        mend = 'look at appendfsync yourself, then set redis_fsync = "off" in [checks]'
        return unknown(name, "CONFIG GET", mend)
    values = ", ".join(sorted(set(reading.fsyncs)))
    if "no" in reading.fsyncs:
        mend = "set appendfsync always, or everysec: with no, the loss of its host loses up to 30 s of jobs"
        return Finding(name, False, values, mend)
    advice = "" if values == "always" else "set appendfsync always: otherwise a kill loses up to two seconds of jobs"
    return Finding(name, True, values, advice)


def _replicas(infos: Infos, replicated: bool) -> Finding:
    fewest = min(int(info.get("connected_slaves", 0)) for info in infos)
    name, found = "redis_replicas", f"{fewest} per primary"
    if fewest or not replicated:
        advice = "" if fewest else "add a replica and Sentinel, so that the queue survives the loss of its host"
        return Finding(name, True, found, advice)
    mend = "start the lost replica again: until then the loss of the primary loses jobs"
    return Finding(name, False, "a primary has lost its last replica", mend)


def _clock(clocks: ClockReading | None) -> Finding:
    if clocks is None:
        return unknown("redis_clock", "TIME", ASK_RIGHT)
    apart = clocks.apart_seconds
    mend = "" if apart <= APART_SECONDS else "run chrony or systemd-timesyncd on both hosts"
    return Finding("redis_clock", apart <= APART_SECONDS, f"{apart:.3f} s apart", mend)


def _rights(missing: Sequence[str]) -> Finding:
    if missing:
        mend = "use the users in the shipped pageworker.acl (docs/redis.md)"
        return Finding("redis_rights", False, "; ".join(missing), mend)
    return Finding("redis_rights", True, "functions may be loaded and called, scripts run")


def _schema(schemas: Mapping[str, str]) -> Finding:
    name = "queue_schema"
    others = {root: version for root, version in schemas.items() if version != str(SCHEMA_VERSION)}
    if not others:
        return Finding(name, True, f"version {SCHEMA_VERSION}" if schemas else "no state yet")
    root, version = min(others.items())
    found = f"shard {root} has {'no version' if version == NO_SCHEMA else f'version {version}'}"
    newer = version.isdecimal() and int(version) > SCHEMA_VERSION
    mend = "upgrade this worker" if newer else "let workers of the older release drain the queue and delete its keys"
    return Finding(name, False, f"{found}, this worker supports version {SCHEMA_VERSION}", mend)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())

"""Checks for `workerctl doctor` whether a Redis suits pageworker, each with the finding and how to fix it."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pageworker_supervisor.redis_client.client import RedisClient
from pageworker_supervisor.redis_client.errors import Denied, RedisClientError

OLDEST_VERSION = (7, 0)
CLOCK_SECONDS = 5.0
"""Largest accepted difference. Leases use Redis' clock only; log lines and signed callbacks use the worker's."""
ANSWER_SECONDS = 10.0


@dataclass(frozen=True)
class RedisCheck:
    """One check. `mend` says how to fix it or, with `ok`, how to improve it; it may be empty."""

    name: str
    ok: bool
    found: str
    mend: str = ""


async def preflight(redis_client: RedisClient) -> list[RedisCheck]:
    """Run all checks. A Redis that does not answer gives one failed check. Changes nothing."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            infos = await redis_client.send_to_primaries("INFO", "everything")
            checks = [
                RedisCheck(
                    "redis answers",
                    True,
                    f"{redis_client.safe_url}, {len(infos)} primar{'y' if len(infos) == 1 else 'ies'}",
                ),
                _version(infos),
                _role(infos),
                _eviction(infos),
                _persistence(infos),
                _replicas(infos),
                await _clock(redis_client),
                await _rights(redis_client),
            ]
            if redis_client.is_cluster:
                checks.append(await _cluster(redis_client))
            elif any(int(info.get("cluster_enabled", 0)) for info in infos):
                mend = "write redis.url as redis+cluster://host:port,…"
                checks.append(
                    RedisCheck("redis cluster", False, "a node of a cluster, but redis.url names one server", mend)
                )
    except (RedisClientError, TimeoutError) as error:
        reason = str(error) or f"no answer within {ANSWER_SECONDS:.0f} s"
        return [
            RedisCheck("redis answers", False, f"{redis_client.safe_url}: {reason}", "start Redis, or fix redis.url")
        ]
    return checks


def _version(infos: Sequence[dict[str, Any]]) -> RedisCheck:
    oldest = min((str(info["redis_version"]) for info in infos), key=_numbers)
    fine = _numbers(oldest) >= OLDEST_VERSION
    return RedisCheck("redis version", fine, oldest, "" if fine else "install Redis 7.0 or later: it has functions")


def _role(infos: Sequence[dict[str, Any]]) -> RedisCheck:
    roles = {str(info["role"]) for info in infos}
    fine = roles == {"master"}
    mend = "" if fine else "point redis.url at the primary, or at its Sentinels: redis+sentinel://…/service"
    return RedisCheck("redis role", fine, ", ".join(sorted(roles)), mend)


def _eviction(infos: Sequence[dict[str, Any]]) -> RedisCheck:
    policies = {str(info["maxmemory_policy"]) for info in infos}
    bounded = any(int(info["maxmemory"]) for info in infos)
    fine = policies == {"noeviction"}
    if not fine and not bounded:
        advice = "without maxmemory Redis evicts nothing; set maxmemory-policy noeviction before you set maxmemory"
        return RedisCheck("redis maxmemory-policy", True, ", ".join(sorted(policies)), advice)
    mend = (
        "" if fine else "run CONFIG SET maxmemory-policy noeviction: with any other policy Redis deletes jobs and locks"
    )
    return RedisCheck("redis maxmemory-policy", fine, ", ".join(sorted(policies)), mend)


def _persistence(infos: Sequence[dict[str, Any]]) -> RedisCheck:
    aof = all(int(info["aof_enabled"]) for info in infos)
    failed = any(info.get("aof_last_write_status", "ok") != "ok" for info in infos)
    if failed:
        return RedisCheck(
            "redis persistence",
            False,
            "the last write of the append-only file failed",
            "check Redis' log and whether its disk is full",
        )
    advice = "" if aof else "set appendonly yes: without it a restart of Redis loses jobs"
    return RedisCheck("redis persistence", True, "appendonly" if aof else "no append-only file", advice)


def _replicas(infos: Sequence[dict[str, Any]]) -> RedisCheck:
    fewest = min(int(info["connected_slaves"]) for info in infos)
    advice = "" if fewest else "add a replica and Sentinel, so that the queue survives the loss of its host"
    return RedisCheck("redis replicas", True, str(fewest), advice)


async def _clock(redis_client: RedisClient) -> RedisCheck:
    before = time.time()
    replies = await redis_client.send_to_primaries("TIME")
    after = time.time()
    # Redis read its clock at some moment between these two.
    off = max(_distance(seconds + micros / 1e6, before, after) for seconds, micros in replies)
    mend = "" if off <= CLOCK_SECONDS else "run chrony or systemd-timesyncd on both hosts"
    return RedisCheck("clock against Redis", off <= CLOCK_SECONDS, f"{off:.3f} s apart", mend)


# ACL DRYRUN needs permissions that a worker should not have. These calls fail for every user, but with another error
# where a permission is missing.
_PERMISSION_TRIES = (
    (("FUNCTION LOAD", "#!lua name=none"), "functions may be loaded"),
    (("FCALL", "pageworker_none", 0), "called"),
    (("EVAL", "return 1", 0), "scripts run"),
)


async def _rights(redis_client: RedisClient) -> RedisCheck:
    missing = []
    for words, _ in _PERMISSION_TRIES:
        try:
            await redis_client.send_to_primaries(*words)
        except Denied as denied:
            missing.append(str(denied))
        except RedisClientError:
            continue  # permitted: it failed as it does for every user
    found = "; ".join(missing) or ", ".join(right for _, right in _PERMISSION_TRIES)
    return RedisCheck(
        "redis rights",
        not missing,
        found,
        "" if not missing else "use the users in the shipped pageworker.acl (docs/redis.md)",
    )


async def _cluster(redis_client: RedisClient) -> RedisCheck:
    states = await redis_client.send_to_primaries("CLUSTER", "INFO")
    found = {_cluster_state(reply) for reply in states}
    fine = found == {"ok"}
    return RedisCheck(
        "redis cluster", fine, ", ".join(sorted(found)), "" if fine else "run redis-cli --cluster check host:port"
    )


def _cluster_state(reply: Any) -> str:
    if isinstance(reply, dict):
        return str(reply["cluster_state"])
    lines = dict(line.split(":", 1) for line in bytes(reply).decode().split("\r\n") if ":" in line)
    return lines["cluster_state"]


def _distance(theirs: float, earliest: float, latest: float) -> float:
    return max(earliest - theirs, theirs - latest, 0.0)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())

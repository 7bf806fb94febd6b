"""Asks a Redis for all that its checks need. Changes nothing. A right that the user lacks gives None, not an error."""

import time
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from pageworker_supervisor.queue.library import shard_key
from pageworker_supervisor.redis_client import RedisClient
from pageworker_supervisor.redis_client.errors import Denied, RedisClientError, RightMissing
from pageworker_supervisor.redis_client.server_config import FSYNC
from pageworker_supervisor.self_checks.clocks import ClockReading

T = TypeVar("T")

NO_SCHEMA = "none"
"""The state of a shard that has no schema version: a release before schema versions wrote it."""

# ACL DRYRUN needs permissions that a worker should not have. These calls fail for every user, but with another error
# if a permission is missing.
PERMISSION_TRIES = (("FUNCTION LOAD", "#!lua name=none"), ("FCALL", "pageworker_none", 0), ("EVAL", "return 1", 0))


class RedisReading(Struct, frozen=True):
    """What one look at a Redis found, one element per primary. None: not asked, or no right to ask."""

    is_cluster: bool
    infos: tuple[Mapping[str, Any], ...] | None
    policies: tuple[str, ...] | None = None
    """`maxmemory-policy`."""
    fsyncs: tuple[str, ...] | None = None
    """`appendfsync`."""
    clocks: ClockReading | None = None
    survives: bool | None = None
    """Whether it is built to survive the loss of a primary."""
    missing_rights: tuple[str, ...] = ()
    cluster_states: tuple[str, ...] | None = None
    schemas: Mapping[str, str] = {}
    """Schema version of each shard that has state, by its root."""


async def read_server(redis_client: RedisClient) -> RedisReading:
    """What INFO tells, and the eviction policy if INFO does not have it. Raises RedisClientError."""
    infos = await _permitted(redis_client.send_to_primaries("INFO", "everything"))
    policies = None
    if infos is not None and all("maxmemory_policy" in info for info in infos):
        policies = tuple(str(info["maxmemory_policy"]) for info in infos)
    else:  # some services leave it out
        policies = await _configured(redis_client, "maxmemory-policy")
    return RedisReading(redis_client.is_cluster, None if infos is None else tuple(infos), policies)


async def read_watched(redis_client: RedisClient) -> RedisReading:
    """What the checks need that are repeated while the worker serves. Raises RedisClientError."""
    found = await read_server(redis_client)
    survives = await _permitted(redis_client.has_replicas(found.infos))
    return replace(found, clocks=await _clocks(redis_client), survives=survives)


async def read_all(redis_client: RedisClient, roots: Sequence[str], *, embedded: bool) -> RedisReading:
    """What all checks need. `roots`: those of the queue's shards. Raises RedisClientError.

    `embedded`: it is the embedded Redis. Its configuration is known, and no user may ask it.
    """
    found = await read_watched(redis_client)
    return replace(
        found,
        fsyncs=(FSYNC,) if embedded else await _configured(redis_client, "appendfsync"),
        missing_rights=await _missing_rights(redis_client),
        cluster_states=await _cluster_states(redis_client) if redis_client.is_cluster else None,
        schemas=await _schemas(redis_client, roots),
    )


async def _permitted(call: Awaitable[T]) -> T | None:
    try:
        return await call
    except RightMissing:
        return None


async def _configured(redis_client: RedisClient, name: str) -> tuple[str, ...] | None:
    """The value of a setting of Redis, or None if a user or a service forbids to ask."""
    replies = await _permitted(redis_client.send_to_primaries("CONFIG GET", name))
    if replies is None or not all(name in reply for reply in replies):
        return None
    return tuple(str(reply[name]) for reply in replies)


async def _clocks(redis_client: RedisClient) -> ClockReading | None:
    boot, before = time.clock_gettime(time.CLOCK_BOOTTIME), time.time()
    replies = await _permitted(redis_client.send_to_primaries("TIME"))
    if replies is None:
        return None
    # Redis read its clock at some moment between these two.
    return ClockReading(before, time.time(), boot, tuple(seconds + micros / 1e6 for seconds, micros in replies))


async def _missing_rights(redis_client: RedisClient) -> tuple[str, ...]:
    missing = []
    for words in PERMISSION_TRIES:
        try:
            await redis_client.send_to_primaries(*words)
        except Denied as denied:
            missing.append(str(denied))
        except RedisClientError:
            continue  # permitted: it failed as it does for every user
    return tuple(missing)


async def _cluster_states(redis_client: RedisClient) -> tuple[str, ...] | None:
    replies = await _permitted(redis_client.send_to_primaries("CLUSTER", "INFO"))
    return None if replies is None else tuple(_cluster_state(reply) for reply in replies)


def _cluster_state(reply: Any) -> str:
    if isinstance(reply, dict):
        return str(reply["cluster_state"])
    lines = dict(line.split(":", 1) for line in bytes(reply).decode().split("\r\n") if ":" in line)
    return lines["cluster_state"]


async def _schemas(redis_client: RedisClient, roots: Sequence[str]) -> dict[str, str]:
    found = {}
    for root in roots:
        meta = shard_key(root, "meta")
        try:
            version = await redis_client.send("HGET", meta, "schema", key=meta)
            if version is not None:
                found[root] = bytes(version).decode(errors="replace")
            elif await redis_client.send("EXISTS", meta, key=meta):
                found[root] = NO_SCHEMA
        except RightMissing:
            continue  # the check of rights reports it
    return found

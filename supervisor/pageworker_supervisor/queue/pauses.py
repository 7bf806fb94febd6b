"""Pauses of tenants, modules and domains: no further job of a paused one is claimed (queue/lua/pause.lua).

A tenant's jobs are on one shard, so that one is told. Modules and domains are paused on every shard.
"""

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

from pageworker_sandbox.task_group import TaskGroup
from pageworker_supervisor.queue.functions import Shards, unpacked
from pageworker_supervisor.redis_client.errors import RedisClientError

PauseKind = Literal["tenant", "module", "domain"]
PausedBy = PauseKind | Literal["budget"]
"""`budget`: the tenant of this name is paused by its budget."""
LETTERS: dict[PauseKind, str] = {"tenant": "t", "module": "m", "domain": "d"}
KINDS: dict[str, PausedBy] = {"b": "budget", **{letter: kind for kind, letter in LETTERS.items()}}
SHARD_SECONDS = 1.0
"""How long one shard is asked, again and again."""
AGAIN_SECONDS = 0.1
FULL = -1
"""The reply of `pause` if a shard has as many pauses as it may have."""


class PauseView(Struct, frozen=True, kw_only=True):
    """One pause that is in force. Times are milliseconds since the epoch on Redis' clock."""

    kind: PausedBy
    name: str
    reason: str
    by: str
    since_ms: int
    until_ms: int | None
    """None: it has no end."""
    shards: tuple[int, ...]
    """Where it is in force. If a shard is missing that must have it, the pause was not set or ended everywhere."""


class PauseChange(Struct, frozen=True, kw_only=True):
    """What the shards answered to a pause, or to the end of one."""

    changed: bool
    """A pause was set, or one was ended, on at least one shard."""
    until_ms: int | None = None
    """When the pause ends, by the clock of the shard whose clock is ahead; None: never."""
    answered: tuple[int, ...] = ()
    """The shards where the change holds, or was refused."""
    failed: Mapping[int, str] = {}
    """Why, by shard, the change is not known to hold there. The same change may be made again."""
    full: tuple[int, ...] = ()
    """Shards with as many pauses as they may have: not paused there."""


class Pauses:
    """Pauses and unpauses. Every method may be repeated."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    def of(self, kind: PauseKind, name: str) -> range:
        """The shards that must know of a pause."""
        if kind != "tenant":
            return range(len(self._shards))
        shard = self._shards.of(name)
        return range(shard, shard + 1)

    async def pause(
        self, kind: PauseKind, name: str, reason: str, by: str, for_seconds: float | None = None, *, keep: bool = False
    ) -> PauseChange:
        """Pause it, in place of an earlier pause. None: until `unpause`. Shards that fail are named in the reply.

        `keep`: a pause that is in force stays as it is.
        """
        request: dict[str, Any] = {"reason": reason, "by": by}
        if keep:
            request["keep"] = True
        if for_seconds is not None:
            request["for_ms"] = max(1, round(for_seconds * 1000))
        replies, failed = await self._ask("pause", kind, name, request)
        full = tuple(sorted(shard for shard, reply in replies.items() if reply == FULL))
        ends = [reply for reply in replies.values() if reply > 0]
        return PauseChange(
            changed=len(full) < len(replies),
            until_ms=max(ends, default=None),
            answered=tuple(sorted(replies)),
            failed=failed,
            full=full,
        )

    async def unpause(self, kind: PauseKind, name: str, by: str) -> PauseChange:
        """End a pause."""
        replies, failed = await self._ask("unpause", kind, name, {"by": by})
        return PauseChange(changed=any(replies.values()), answered=tuple(sorted(replies)), failed=failed)

    async def all(self) -> list[PauseView]:
        """Every pause that is in force, by kind and name. Raises RedisClientError."""
        found: dict[tuple[PausedBy, str], PauseView] = {}
        for shard in range(len(self._shards)):
            for row in unpacked(await self._shards.call(shard, "list_pauses"))["pauses"]:
                view = pause_view(row, shard)
                known = found.get((view.kind, view.name))
                found[view.kind, view.name] = _later(known, view) if known else view
        return [found[key] for key in sorted(found)]

    async def _ask(
        self, function: str, kind: PauseKind, name: str, request: dict[str, Any]
    ) -> tuple[dict[int, int], dict[int, str]]:
        """The replies and the failures, by shard. All shards are asked at once; one that fails ends no other."""
        shards = self.of(kind, name)
        request |= {"kind": LETTERS[kind], "name": name, "id": secrets.token_hex(8)}
        replies: dict[int, int] = {}
        failed: dict[int, str] = {}

        async def ask(shard: int) -> None:
            tells = {"tells": shard == shards[0]} if function == "pause" else {}
            try:
                async with asyncio.timeout(SHARD_SECONDS):
                    while True:
                        try:
                            # Settled: a failover must not undo what an operator was told.
                            replies[shard] = await self._shards.settled_call(shard, function, **request, **tells)
                            failed.pop(shard, None)
                            return
                        except RedisClientError as error:
                            failed[shard] = str(error)
                            if not error.retryable:
                                return
                        await asyncio.sleep(AGAIN_SECONDS)
            except TimeoutError:
                failed.setdefault(shard, f"no answer within {SHARD_SECONDS:g} s")

        async with TaskGroup() as tasks:
            for shard in shards:
                tasks.create_task(ask(shard))
        return replies, failed


def pause_view(row: Mapping[str, Any], shard: int) -> PauseView:
    """One pause of a shard's reply."""
    return PauseView(
        kind=KINDS[row["kind"]],
        name=row["name"],
        reason=row["reason"],
        by=row["by"],
        since_ms=row["since_ms"],
        until_ms=row.get("until_ms"),
        shards=(shard,),
    )


def _later(one: PauseView, other: PauseView) -> PauseView:
    """The newer of two shards' views of a pause, for both shards."""
    newer = max(one, other, key=lambda view: view.since_ms)
    return PauseView(
        kind=newer.kind,
        name=newer.name,
        reason=newer.reason,
        by=newer.by,
        since_ms=newer.since_ms,
        until_ms=newer.until_ms,
        shards=(*one.shards, *other.shards),
    )

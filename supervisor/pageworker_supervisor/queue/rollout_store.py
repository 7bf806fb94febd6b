"""Rollout entries in Redis, how jobs of a running rollout ended, and the state of the automatic decision.

queue/lua/fn_rollouts.lua has the protocol. Every call may be repeated with the same arguments. All methods raise
RedisClientError. Entries and states are opaque texts here; the package `rollouts` has their format.
"""

import re
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct

from pageworker_supervisor.queue.functions import Shards, opaque, unpacked

SHARD = 0
FULL = -1
_STORED = re.compile(rb"(\d+) \w+ (.*)", re.DOTALL)


class StoredEntry(Struct, frozen=True):
    """An entry as it is in Redis. `text`: its JSON, `b""` if someone has edited it so that it is none."""

    revision: int
    text: bytes
    stored: bytes
    """The whole text, for `restore`."""


class RolloutLook(Struct, frozen=True):
    """What a worker has to do. `entries`: by module, for `take`.

    `whole`: they are all entries, and a module without one has none. Else they are those that have changed.
    """

    action: Literal["", "take", "restore"]
    serial: int
    entries: Mapping[str, StoredEntry]
    whole: bool = True


class DecisionState(Struct, frozen=True):
    """The state of the decision about one rollout. `number` 0: there is none yet."""

    number: int
    state: bytes


class RolloutStore:
    """The rollouts of one prefix. Entries are on shard 0; jobs are counted on the shard of their tenant."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    async def look(self, serial: int = 0) -> RolloutLook:
        """What has changed since `serial`; 0: everything."""
        reply = await self._shards.call(SHARD, "rollout_look", serial=serial)
        head = unpacked(reply)
        entries = dict(zip(head["names"], map(_stored, reply[1:]), strict=True))
        return RolloutLook(head["action"], head["serial"], entries, head["whole"])

    async def entry(self, module: str) -> StoredEntry | None:
        """The entry of one module. None: it has none."""
        return (await self.look()).entries.get(module)

    async def write(self, module: str, base: int, entry: bytes, event: bytes) -> int:
        """Store an entry in place of revision `base` (0: none), tell every worker, publish the event (JSON).

        Returns the new revision; 0 if the entry has another revision than `base`; FULL if there are too many.
        """
        reply: int = await self._shards.settled_call(
            SHARD,
            "rollout_write",
            module=module,
            base=base,
            id=secrets.token_hex(8),
            entry=opaque(entry),
            event=opaque(event),
        )
        return reply

    async def restore(self, serial: int, entries: Mapping[str, StoredEntry]) -> bool:
        """Redis lost data: write these entries again. False: it has this serial, or a higher one."""
        texts = [opaque(entry.stored) for entry in entries.values()]
        reply = await self._shards.settled_call(
            SHARD, "rollout_restore", serial=serial, modules=list(entries), entries=texts
        )
        return bool(reply)

    async def counts(self, module: str, rollout_id: str) -> Mapping[str, int]:
        """How jobs of this rollout ended, by name of the count, over all shards."""
        total: Counter[str] = Counter()
        for shard in range(len(self._shards)):
            reply = unpacked(await self._shards.call(shard, "rollout_counts", module=module, rollout=rollout_id))
            total.update(reply.get("counts", {}))
        return total

    async def decision(self, module: str, rollout_id: str) -> DecisionState:
        """The state of the decision about this rollout."""
        reply = await self._shards.call(SHARD, "rollout_evidence", module=module, rollout=rollout_id)
        return DecisionState(unpacked(reply)["number"], bytes(reply[1]))

    async def decide(self, module: str, rollout_id: str, base: int, state: bytes) -> bool:
        """Store the state in place of number `base`. False: another worker was first."""
        reply = await self._shards.settled_call(
            SHARD,
            "rollout_decide",
            module=module,
            rollout=rollout_id,
            base=base,
            id=secrets.token_hex(8),
            state=opaque(state),
        )
        return bool(reply)


def observation_request(module: str, rollout_id: str, started_ms: int, fields: Sequence[str]) -> dict[str, object]:
    """What `finish` counts of a job of a rollout that began at `started_ms`."""
    return {"module": module, "rollout": rollout_id, "started_ms": started_ms, "fields": list(fields)}


def _stored(text: bytes) -> StoredEntry:
    parts = _STORED.fullmatch(text)
    return StoredEntry(int(parts[1]), parts[2], text) if parts else StoredEntry(0, b"", text)

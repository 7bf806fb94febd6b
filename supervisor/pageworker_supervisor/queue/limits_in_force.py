"""The table of limits that is in force on each shard: a worker sets its own, and sees which one holds."""

from typing import Literal, cast

from pageworker_supervisor.queue.functions import Shards, opaque
from pageworker_supervisor.queue.library import shard_key
from pageworker_supervisor.queue.limits_table import LimitsId, LimitsTable

SetReply = Literal["set", "same", "older"]
"""`same`: this table was in force already. `older`: one with a higher version is in force and stays."""


class LimitsInForce:
    """Sets and reads the table of every shard. All methods raise RedisClientError, and may be repeated."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    async def set(self, table: LimitsTable, worker: str = "") -> SetReply:
        """Put the table in force. From the next claim on it governs jobs that wait already.

        `worker`: whose it is. It is remembered until that worker leaves, in force or not.

        A table with a lower version than the one in force changes nothing. Of the same version, the last one holds.
        """
        packed = opaque(table.packed(len(self._shards)))
        words = [
            await self._shards.settled_call(
                shard,
                "set_limits",
                version=table.version,
                digest=table.id.digest,
                table=packed,
                **({"worker": worker, "brought": opaque(table.packed(1))} if worker and shard == 0 else {}),
            )
            for shard in range(len(self._shards))
        ]
        # The function replies one of these words; `index` raises ValueError for another one.
        return cast(SetReply, min(words, key=(b"set", b"older", b"same").index).decode())

    async def ids(self) -> list[LimitsId | None]:
        """Which table is in force on each shard; None if no worker has set one."""
        found: list[LimitsId | None] = []
        for root in self._shards.roots:
            text = await self._shards.functions.command("HGET", shard_key(root, "meta"), "limits", key=root)
            found.append(LimitsId.parse(text.decode()) if text else None)
        return found

    async def brought(self) -> dict[str, bytes]:
        """The table of each worker, as `LimitsTable.packed(1)` writes it, in force or not."""
        command, root = self._shards.functions.command, self._shards.roots[0]
        ids = await command("HGETALL", shard_key(root, "limits_workers"), key=root)
        tables = await command("HGETALL", shard_key(root, "limits_brought"), key=root)
        # A worker may come or leave between the two.
        return {worker.decode(): tables[name] for worker, name in ids.items() if name in tables}

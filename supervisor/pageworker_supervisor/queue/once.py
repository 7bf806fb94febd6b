"""Side effects of a job that must not repeat: what is recorded of each, by its key.

A record says that an attempt has begun the side effect, or that it is done. An attempt that begins it is told so, once.
Any other one is told `done`, or `unknown` if nothing says whether it happened.
"""

from msgspec import Struct

from pageworker_sandbox.wire.once_messages import MAX_ONCE_KEYS, OnceAct, OnceState
from pageworker_supervisor.queue.claim import Lease
from pageworker_supervisor.queue.functions import Shards, opaque


class OnceReply(Struct, frozen=True):
    """What is recorded after a call. `value`: JSON that was stored with `done`."""

    state: OnceState
    value: bytes | None = None


async def call_once(
    shards: Shards, lease: Lease, key: str, act: OnceAct, call_number: int, value: bytes | None
) -> OnceReply:
    """One call of the Redis Function `once`. Returns only when as many replicas as wanted have the record: a failover
    must not forget it. Raises RedisClientError."""
    state, stored = await shards.settled_call(
        lease.shard,
        "once",
        ref=str(lease.ref),
        token=lease.token,
        key=key,
        act=act,
        call=f"{lease.token} {call_number}",
        most=MAX_ONCE_KEYS,
        **({} if value is None else {"value": opaque(value)}),
    )
    return OnceReply(state.decode(), stored or None)


class LocalOnce:
    """The records of jobs without Redis. Each job has one attempt."""

    def __init__(self) -> None:
        self._records: dict[tuple[str, str], tuple[OnceState, bytes | None]] = {}

    def call(self, token: str, key: str, act: OnceAct, value: bytes | None) -> OnceReply:
        """As `call_once`."""
        name = token, key
        known = self._records.get(name)
        if act == "begin" and known is not None:
            return OnceReply("done", known[1]) if known[0] == "done" else OnceReply("unknown")
        if act == "drop":
            self._records.pop(name, None)
            return OnceReply("dropped")
        if known is None and sum(each == token for each, _ in self._records) >= MAX_ONCE_KEYS:
            return OnceReply("full")
        state: OnceState = "begun" if act == "begin" else "done"
        self._records[name] = state, value
        return OnceReply(state, value)

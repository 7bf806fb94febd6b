"""Sleeping until there is work: one blocked connection per worker, and no command while nothing happens.

A worker blocks on its control key, on `wake:slots` while it has free runner slots, and on `wake:<tenant>/<context>` for
each ephemeral context that it holds with free pages. What it waits for follows from its last claim. If a later claim
leaves it with more capacity, it wakes its own wait. Time is watched here too: a claim tells when the next job, refill
or lock is due.
"""

import time
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.queue.functions import Shards
from pageworker_supervisor.queue.library import shard_key
from pageworker_supervisor.redis_client.errors import RedisClientError
from pageworker_supervisor.redis_client.fan_out import fan_out
from pageworker_supervisor.redis_client.router import Router

BLOCK_SECONDS = 7.5
"""Below LONGEST_BLOCK_SECONDS. Each further blocking read of an idle worker is a command more."""
MESSAGES = 64
SHORTEST_BLOCK = 0.001
"""0 would be for ever."""
SLACK_SECONDS = 0.05
"""A rest so short is not worth a command."""


class CancelNotice(Struct, frozen=True):
    """A running job of this worker is to be cancelled."""

    ref: JobRef
    token: str


class AskNotice(Struct, frozen=True):
    """Another worker asks for this profile, and no job of it runs here."""

    tenant_id: str
    profile_id: str
    fence: int


class ConfigNotice(Struct, frozen=True):
    """The central configuration has changed, or a change of it waits for the vote of this worker."""


class PauseNotice(Struct, frozen=True):
    """A pause of a tenant, module or domain has begun or ended. One worker is told, for its log."""

    event: Literal["paused", "unpaused"]
    detail: dict[str, str]
    """kind, name, reason, by; until, if the pause has an end."""


class ReportNotice(Struct, frozen=True):
    """A stored drain has changed: the worker reports, and the reply has what is for it now."""


class RolloutNotice(Struct, frozen=True):
    """A rollout entry has changed."""


Notice = CancelNotice | AskNotice | ConfigNotice | PauseNotice | ReportNotice | RolloutNotice


class Wakeup(Struct, frozen=True):
    """Why a wait returned. Without work and notices its time was up."""

    work: bool = False
    """There may be work for this worker: claim."""
    control: tuple[Notice, ...] = ()


class WakeupWaiter:
    """Where one process's workers sleep."""

    def __init__(self, router: Router, shards: Shards) -> None:
        self._router = router
        self._shards = shards
        self._keys: dict[str, list[list[str]]] = {}
        self._asleep: dict[str, list[list[str]]] = {}
        self._due: dict[int, float] = {}

    def watch(self, worker_id: str, shard: int, contexts: Iterable[ContextKey], *, runner_slots: bool) -> None:
        """What the worker can take from this shard after a claim. `runner_slots`: it has free ones."""
        base = self._shards.roots[shard]
        keys = [shard_key(base, "control", worker_id)]
        if runner_slots:
            keys.append(shard_key(base, "wake_slots"))
        keys += sorted(shard_key(base, "wake_context", context.tenant_id, context.text) for context in contexts)
        self._of(worker_id)[shard] = keys

    def due(self, shard: int, in_ms: int | None) -> None:
        """Something is due on this shard in `in_ms` milliseconds; None: never."""
        self._due[shard] = time.monotonic() + in_ms / 1000 if in_ms is not None else float("inf")

    def outgrown(self, worker_id: str) -> list[int]:
        """Shards on which the worker sleeps now without watching everything that it could take."""
        asleep = self._asleep.get(worker_id)
        if asleep is None:
            return []
        wanted = self._of(worker_id)
        return [shard for shard, keys in enumerate(asleep) if not set(wanted[shard]) <= set(keys)]

    async def wake(self, worker_id: str, shards: Sequence[int]) -> None:
        """Wake this worker, so that it looks at its keys again."""
        for shard in shards:
            await self._shards.call(shard, "wake_worker", worker=worker_id)

    async def wait(self, worker_id: str, timeout_seconds: float) -> Wakeup:
        """Block until there may be work, a message, or the time is up. Raises RedisClientError."""
        until = time.monotonic() + timeout_seconds
        slept = False
        while True:
            now = time.monotonic()
            due = min(self._due.values(), default=float("inf"))
            if due <= now:
                self._due = {shard: at for shard, at in self._due.items() if at > now}
                return Wakeup(work=True)
            if until <= now + (SLACK_SECONDS if slept else 0.0):
                return Wakeup()
            messages = await self._sleep(worker_id, max(SHORTEST_BLOCK, min(BLOCK_SECONDS, until - now, due - now)))
            slept = True
            notices = tuple(notice for message in messages if (notice := notice_from(message)) is not None)
            if notices or b"work" in messages:
                return Wakeup(work=b"work" in messages, control=notices)

    async def _sleep(self, worker_id: str, seconds: float) -> list[bytes]:
        keys = [list(keys) for keys in self._of(worker_id)]
        self._asleep[worker_id] = keys
        try:
            if not self._shards.functions.cluster:
                return await self._block([key for shard in keys for key in shard], seconds, self._shards.roots[0])
            return await self._block_everywhere(worker_id, keys, seconds)
        finally:
            self._asleep.pop(worker_id, None)

    async def _block_everywhere(self, worker_id: str, keys: list[list[str]], seconds: float) -> list[bytes]:
        """Shards are on different nodes: one blocked connection each. The first that gets a message ends the others."""
        heard: list[bytes] = []

        async def on(shard: int) -> None:
            messages = await self._block(keys[shard], seconds, self._shards.roots[shard])
            first = bool(messages) and not heard
            heard.extend(messages)
            if first:
                await self.wake(worker_id, [other for other in range(len(keys)) if other != shard])

        try:
            await fan_out(on(shard) for shard in range(len(keys)))
        except RedisClientError:
            # The messages are taken from Redis already; what failed will fail again at the next call.
            if not heard:
                raise
        return heard

    async def _block(self, keys: list[str], seconds: float, base: str) -> list[bytes]:
        # Sent once: what a lost reply named is taken from Redis already, and the next claim finds the work itself.
        options = ("LEFT", "COUNT", MESSAGES)
        reply = await self._router.send("BLMPOP", seconds, len(keys), *keys, *options, key=base, blocks=True)
        return list(reply[1]) if reply else []

    def _of(self, worker_id: str) -> list[list[str]]:
        if worker_id not in self._keys:
            self._keys[worker_id] = [
                [shard_key(base, "control", worker_id), shard_key(base, "wake_slots")] for base in self._shards.roots
            ]
        return self._keys[worker_id]


def notice_from(message: bytes) -> Notice | None:
    """A control message. None for those that only wake."""
    word, *rest = message.decode().split(" ")
    match word, rest:
        case "cancel", [ref, token]:
            return CancelNotice(JobRef.of_text(ref), token)
        case "ask", [tenant, profile, fence]:
            return AskNotice(tenant, profile, int(fence))
        case "config", []:
            return ConfigNotice()
        case "pause", _:
            return msgspec.json.decode(message.partition(b" ")[2], type=PauseNotice)
        case "report", []:
            return ReportNotice()
        case "rollout", []:
            return RolloutNotice()
        case _:
            return None

"""The ways in of tenants: reads all their inboxes with few commands, however many tenants there are.

Redis tells which inboxes are written (redis_client/key_watch.py). Only those are read. At each upkeep, one script looks
at all of them, so that nothing waits for longer where a notice was lost.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from pageworker_supervisor.intake.cluster_inboxes import inboxes_of
from pageworker_supervisor.intake.common_sources import StreamSource
from pageworker_supervisor.intake.enqueuer import Enqueuer
from pageworker_supervisor.intake.stream_source import ProducerStream
from pageworker_supervisor.intake.tenant_inboxes import arrivals
from pageworker_supervisor.intake.timing import IntakeTimeouts
from pageworker_supervisor.redis_client import RedisClient
from pageworker_supervisor.redis_client.errors import Denied, WrongType
from pageworker_supervisor.telemetry import log

STREAMS_PER_STEP = 16
UNWATCHED_SECONDS = 2.0
"""Between two looks at all inboxes, where the Redis user may not ask for notices."""


class TenantSource:
    """The inboxes of the tenants that the configuration names. One task uses it."""

    def __init__(
        self,
        redis_client: RedisClient,
        prefix: str,
        worker_id: str,
        enqueuer: Enqueuer,
        timing: IntakeTimeouts,
        tenants: Sequence[str],
    ) -> None:
        self._redis_client = redis_client
        self._prefix = prefix
        self._worker_id = worker_id
        self._enqueuer = enqueuer
        self._timing = timing
        self._tenants = tuple(tenants)
        self._inboxes = inboxes_of(redis_client, prefix, worker_id, timing)
        self._watch = self._inboxes.watch()
        self._unwatched = False
        self._looked_at = 0.0
        # Tenants to read next, in this order: dicts, because sets have none.
        self._lists: dict[str, None] = {}
        self._streams: dict[str, None] = {}
        self._open: dict[str, StreamSource] = {}
        self._suspect: set[str] = set()
        """Streams that may hold entries which this worker read and did not queue."""
        self._wrong: set[str] = set()
        """Tenants whose stream's key has another type."""
        self._tended = 0

    def use(self, tenants: Sequence[str]) -> None:
        """Read the inboxes of these from the next step on."""
        added = set(tenants) - set(self._tenants)
        self._tenants = tuple(tenants)
        for known in (self._lists, self._streams, self._open):
            for name in set(known) - set(tenants):
                known.pop(name)
        # What waits in a new inbox was written before, so no notice will come.
        self._note(added, added)

    async def fresh(self) -> None:
        """A batch of texts, and one of some streams. Waits for a limited time if there are none."""
        # Also while some are there: a tenant that never stops to push delays no other.
        await self._hear(wait=not self._lists and not self._streams)
        if self._lists:
            await self._take_texts()
        for name in list(self._streams)[:STREAMS_PER_STEP]:
            with self._own_fault(name):
                await self._take_entries(name)

    async def leftovers(self) -> bool:
        """A batch of this worker's processing list. Its streams are looked at again, too."""
        await self._look()
        self._suspect |= set(self._open)
        self._note((), self._open)
        return await self._queue(await self._inboxes.taken.leftovers(), repeated=True)

    async def upkeep(self) -> None:
        """A look at all inboxes; heartbeat; texts that dead workers left."""
        _, streams = await self._look()
        while await self._queue(await self._inboxes.taken.leftovers(), repeated=True):
            pass
        for dead in await self._inboxes.taken.heartbeat():
            while await self._queue(await self._inboxes.taken.adopt(dead), repeated=True):
                pass
        for name in streams:
            with self._own_fault(name):
                await self._stream(name).upkeep()
        if self._open:
            # Consumers of dead workers in streams that are empty: one stream at a time.
            self._tended = (self._tended + 1) % len(self._open)
            name = list(self._open)[self._tended]
            with self._own_fault(name):
                await self._open[name].upkeep()

    async def leave(self) -> None:
        """The worker stops."""
        await self._watch.aclose()
        await self._inboxes.taken.leave()

    async def _hear(self, *, wait: bool) -> None:
        """Note which inboxes are written. `wait`: until one is, for a limited time."""
        keys = None
        try:
            if not self._unwatched:
                keys = await self._watch.changed(self._timing.block_seconds if wait else 0.0)
        except Denied as denied:
            self._unwatched = True
            log.warning("the inboxes of tenants are read every two seconds", reason=str(denied), mend="docs/tenants.md")
        if self._unwatched:
            if not wait and time.monotonic() - self._looked_at < UNWATCHED_SECONDS:
                return
            if wait:
                await asyncio.sleep(UNWATCHED_SECONDS)
        if keys is None:
            await self._look()
        else:
            self._note(*self._inboxes.tenants_of(keys))

    async def _look(self) -> tuple[set[str], set[str]]:
        self._looked_at = time.monotonic()
        lists, streams = await self._inboxes.look(self._tenants)
        self._note(lists, streams)
        return lists, streams

    def _note(self, lists: Iterable[str], streams: Iterable[str]) -> None:
        known = set(self._tenants)
        self._lists |= dict.fromkeys(name for name in lists if name in known)
        self._streams |= dict.fromkeys(name for name in streams if name in known)

    async def _take_texts(self) -> None:
        asked = list(self._lists)
        texts, rest = await self._inboxes.take(asked)
        for name in asked:
            self._lists.pop(name, None)
        # Behind the others: a tenant with many texts does not keep them waiting.
        self._note([name for name in asked if name in rest], ())
        await self._queue(texts)

    async def _take_entries(self, name: str) -> None:
        source = self._stream(name)
        if name in self._suspect:
            if not await source.leftovers():
                self._suspect.discard(name)
            return
        found = await source.take()
        self._streams.pop(name, None)
        if found:
            self._streams[name] = None

    @contextmanager
    def _own_fault(self, name: str) -> Iterator[None]:
        """A tenant may write another type to its stream's key. That stops neither this source nor the worker's claims:
        the stream is read again after the next notice."""
        try:
            yield
        except WrongType as wrong:
            self._streams.pop(name, None)
            self._open.pop(name, None)
            if name not in self._wrong:
                self._wrong.add(name)
                log.warning("the stream of a tenant cannot be read", tenant_id=name, reason=str(wrong))
        else:
            self._wrong.discard(name)

    def _stream(self, name: str) -> StreamSource:
        known = self._open.get(name)
        if known is None:
            stream = ProducerStream(self._redis_client, self._prefix, self._worker_id, self._timing, name)
            known = self._open[name] = StreamSource(stream, self._enqueuer, name)
        return known

    async def _queue(self, texts: list[bytes], *, repeated: bool = False) -> bool:
        if texts:
            await self._enqueuer.admit(arrivals(texts), repeated=repeated)
            await self._inboxes.taken.remove(texts)
        return bool(texts)

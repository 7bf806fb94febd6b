"""The common ways in: the list and the stream to which all producers may push."""

import itertools

from pageworker_supervisor.intake.admission import missing_field
from pageworker_supervisor.intake.arrival import Arrival
from pageworker_supervisor.intake.enqueuer import Enqueuer
from pageworker_supervisor.intake.list_source import ProducerList
from pageworker_supervisor.intake.stream_source import ProducerStream, StreamEntry

UPKEEPS_PER_CLEANUP = 16
UPKEEPS_PER_MEND = 4


class ListSource:
    """The inbox."""

    def __init__(self, inbox: ProducerList, enqueuer: Enqueuer) -> None:
        self._inbox = inbox
        self._enqueuer = enqueuer
        self._dry = False

    async def fresh(self) -> None:
        """A batch; if the last one was empty, one blocked read."""
        texts = await (self._inbox.wait if self._dry else self._inbox.take)()
        self._dry = not texts
        await self._queue(texts)

    async def leftovers(self) -> bool:
        """One batch of this worker's processing list."""
        return await self._queue(_arrivals(await self._inbox.taken.leftovers()), repeated=True)

    async def upkeep(self) -> None:
        """Heartbeat; texts that a late command took unnoticed; all texts that dead workers left."""
        while await self.leftovers():
            pass
        for dead in await self._inbox.taken.heartbeat():
            while await self._queue(_arrivals(await self._inbox.taken.adopt(dead)), repeated=True):
                pass

    async def _queue(self, arrivals: list[Arrival], *, repeated: bool = False) -> bool:
        if arrivals:
            await self._enqueuer.admit(arrivals, repeated=repeated)
            await self._inbox.taken.remove([arrival.text for arrival in arrivals])
        return bool(arrivals)


class StreamSource:
    """The stream of jobs, or that of one tenant."""

    def __init__(self, stream: ProducerStream, enqueuer: Enqueuer, tenant: str | None = None) -> None:
        self._stream = stream
        self._enqueuer = enqueuer
        self._tenant = tenant
        self._upkeeps = itertools.count()
        self._dry = False

    async def fresh(self) -> None:
        """A batch; if the last one was empty, one blocked read."""
        self._dry = not await self._queue(await (self._stream.wait if self._dry else self._stream.take)())

    async def take(self) -> bool:
        """A batch that is there now. False: there is none."""
        return await self._queue(await self._stream.take())

    async def leftovers(self) -> bool:
        """One batch that is pending under this worker's name."""
        return await self._queue(await self._stream.leftovers(), repeated=True)

    async def upkeep(self) -> None:
        """All entries that dead consumers left, then the names of those consumers; ids that are used up."""
        while await self._queue(await self._stream.adopt(), repeated=True):
            while await self.leftovers():
                pass
        upkeep = next(self._upkeeps)
        if upkeep % UPKEEPS_PER_MEND == 0:
            await self._stream.mend()
        if upkeep % UPKEEPS_PER_CLEANUP == 0:
            await self._stream.forget_silent()

    async def _queue(self, entries: list[StreamEntry], *, repeated: bool = False) -> bool:
        if entries:
            tenant = self._tenant
            jobs = [Arrival(entry.job, entry.waited_ms, tenant) for entry in entries if entry.job is not None]
            others = [missing_field(entry.other, tenant) for entry in entries if entry.other is not None]
            await self._enqueuer.admit(jobs, others, repeated=repeated)
            await self._stream.settle([entry.id for entry in entries])
        return bool(entries)


def _arrivals(texts: list[bytes]) -> list[Arrival]:
    return [Arrival(text) for text in texts]

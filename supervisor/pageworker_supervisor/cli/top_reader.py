"""Reads what `workerctl top` shows. Each frame costs a bounded number of reads, however large the fleet is."""

from collections import deque

import msgspec
from msgspec import Struct

from pageworker_supervisor.cli.top_frame import TopFailure, TopFrame, runners_of
from pageworker_supervisor.contract.job_errors import UNREADABLE
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.fleet_status import FleetWorker, fleet_worker, queue_totals, totals
from pageworker_supervisor.queue.fleet_workers import HeardWorker
from pageworker_supervisor.redis_client.router import Router, root

FAILURES = 10
RESULTS_PER_FRAME = 20
"""Of each shard: if more jobs end between two frames, the oldest of them are not looked at."""


class _ResultHead(Struct):
    job_id: str
    tenant_id: str
    endpoint_module: str
    status: str
    error: dict[str, object] | None = None


class TopReader:
    """Reads one frame after the other. Of a fleet of more than 256 workers, a frame has news of 256."""

    def __init__(self, queue: QueueClient, router: Router, prefix: str) -> None:
        self._queue = queue
        self._router = router
        self._streams = [f"{root(prefix, shard)}:results" for shard in range(queue.shards)]
        self._newest: dict[str, str] = {}
        """The last entry that was looked at, by stream."""
        self._failures: deque[TopFailure] = deque(maxlen=FAILURES)
        """Those that were read last come first."""
        self._position = ""
        self._known: dict[str, HeardWorker] = {}
        self._seen: set[str] = set()
        """Workers that were seen since the list was begun."""

    async def frame(self, *, whole: bool = False) -> TopFrame:
        """What is true now. `whole`: with news of every worker. Raises RedisClientError."""
        now = await self._read_workers()
        while whole and self._position:
            now = await self._read_workers()
        stats = await self._queue.inspection.stats()
        for stream in self._streams:
            await self._read_failures(stream)
        workers: list[FleetWorker] = [fleet_worker(heard, now) for heard in self._known.values()]
        return TopFrame(
            at=now,
            totals=totals(workers),
            queue=queue_totals(stats),
            workers=tuple(workers),
            runners=runners_of(workers),
            tenants=tuple(tenant for shard in stats for tenant in shard.tenants),
            failures=tuple(sorted(self._failures, key=lambda one: -one.at)),
        )

    async def _read_workers(self) -> float:
        page = await self._queue.workers.page(self._position)
        for heard in page.workers:
            self._known[heard.name] = heard
            self._seen.add(heard.name)
        self._position = page.position or ""
        if not self._position:
            self._known = {name: heard for name, heard in self._known.items() if name in self._seen}
            self._seen.clear()
        return page.now

    async def _read_failures(self, stream: str) -> None:
        after = f"({self._newest[stream]}" if stream in self._newest else "-"
        entries = await self._router.send("XREVRANGE", stream, "+", after, "COUNT", RESULTS_PER_FRAME, key=stream)
        if entries:
            self._newest[stream] = entries[0][0].decode()
        for entry, fields in reversed(entries):
            pairs = fields if isinstance(fields, dict) else dict(zip(fields[::2], fields[1::2], strict=True))
            failure = failure_of(float(entry.partition(b"-")[0]) / 1000, pairs.get(b"result", b""))
            if failure is not None:
                self._failures.appendleft(failure)


def failure_of(at: float, untrusted_result: bytes) -> TopFailure | None:
    """None if the job succeeded, or if the text is no result."""
    try:
        head = msgspec.json.decode(untrusted_result, type=_ResultHead)
    except UNREADABLE:
        return None
    if head.status == "succeeded":
        return None
    error = head.error or {}
    return TopFailure(
        at=at,
        job=f"{head.tenant_id}/{head.job_id}",
        module=head.endpoint_module,
        status=head.status,
        error=str(error.get("type", "")),
        message=str(error.get("message", "")),
    )

"""The workers of the fleet as they report themselves, and stored drains. All methods raise RedisClientError.

queue/lua/fn_reports.lua has the protocol. Every call may be repeated with the same arguments. A drain is stored under a
name: `*` for all workers, `worker:<setting worker.id>` or `tag:<tag>`.
"""

from typing import Literal

import msgspec
from msgspec import Struct

from pageworker_supervisor.contract.worker_report import WorkerReport, parse_worker_report
from pageworker_supervisor.queue.functions import Shards, opaque, unpacked

SHARD = 0
WORKERS_PER_PAGE = 256
EVERY_WORKER = "*"


def drain_of_worker(worker_id: str) -> str:
    """The name of the stored drain of the workers with this `worker.id`."""
    return f"worker:{worker_id}"


def drain_of_tag(tag: str) -> str:
    """The name of the stored drain of the workers with this tag."""
    return f"tag:{tag}"


class StoredDrain(Struct, frozen=True, kw_only=True):
    """One stored drain. Times are Unix milliseconds on Redis' clock."""

    name: str
    id: str
    """Of the call that stored it; another call for the same name has another id."""
    since_ms: int
    deadline_ms: int
    who: str
    reason: str
    cancel: bool
    """What runs at the deadline is cancelled, not requeued."""


class Reported(Struct, frozen=True, kw_only=True):
    """The reply to a report. `drain`: what is stored for this worker, None: nothing is."""

    now_ms: int
    drain: StoredDrain | None = None


class HeardWorker(Struct, frozen=True, kw_only=True):
    """One run of a worker. `heard_at`: Unix seconds. `report` None: it has not reported; an older version does not."""

    name: str
    heard_at: float
    report: WorkerReport | None


class WorkersPage(Struct, frozen=True, kw_only=True):
    """Some workers. `now`: Unix seconds on Redis' clock. `drains`: on the first page. `position` None: no more."""

    now: float
    workers: tuple[HeardWorker, ...]
    drains: tuple[StoredDrain, ...]
    position: str | None


class DrainStored(Struct, frozen=True, kw_only=True):
    """The reply to `store_drain`.

    `kept`: one of this name was stored before, and stays. `unknown`: nothing is stored, because no worker that has
    reported has this id or tag. `full`: too many drains are stored. `workers`: names of the workers that it is for.
    """

    state: Literal["stored", "kept", "unknown", "full"]
    now_ms: int
    drain: StoredDrain | None = None
    workers: tuple[str, ...]


class DrainLifted(Struct, frozen=True, kw_only=True):
    """The reply to `lift_drain`. `lifted`: there was one of this name. `workers`: names of those that it was for."""

    lifted: bool
    now_ms: int
    workers: tuple[str, ...]


class FleetWorkers:
    """Reports and stored drains of one prefix. They are on shard 0."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    async def report(self, report: WorkerReport) -> Reported:
        """Replace the report of this worker. Redis sets `reported_at`."""
        fields = msgspec.to_builtins(report)
        del fields["reported_at"]
        reply = await self._shards.call(
            SHARD,
            "report_worker",
            worker=report.name,
            worker_id=report.worker_id,
            tags=list(report.tags),
            report=opaque(msgspec.json.encode(fields)),
        )
        return msgspec.convert(unpacked(reply), Reported)

    async def withdraw(self, name: str) -> None:
        """This worker leaves."""
        await self._shards.call(SHARD, "withdraw_report", worker=name)

    async def page(self, position: str = "", count: int = WORKERS_PER_PAGE) -> WorkersPage:
        """At most `count` workers, silent ones first. A worker may be on two pages."""
        reply = await self._shards.call(SHARD, "list_workers", position=position, limit=count)
        head = unpacked(reply)
        return WorkersPage(
            now=head["now_ms"] / 1000,
            position=head["position"] or None,
            drains=msgspec.convert(head["drains"], tuple[StoredDrain, ...]),
            workers=tuple(
                HeardWorker(name=name, heard_at=heard_ms / 1000, report=parse_worker_report(bytes(text)))
                for name, heard_ms, text in zip(head["names"], head["heard_ms"], reply[1:], strict=True)
            ),
        )

    async def everyone(self) -> WorkersPage:
        """All workers on one page, each once. Costs what it lists."""
        first = page = await self.page()
        found = {worker.name: worker for worker in first.workers}
        while page.position is not None:
            page = await self.page(page.position)
            found.update((worker.name, worker) for worker in page.workers)
        return WorkersPage(now=page.now, workers=tuple(found.values()), drains=first.drains, position=None)

    async def store_drain(
        self,
        name: str,
        drain_id: str,
        seconds: float | None,
        *,
        else_seconds: float,
        who: str,
        reason: str,
        cancel: bool,
    ) -> DrainStored:
        """Drain these workers, and those that start later, until the drain is lifted.

        `seconds` None: a stored drain of this name stays as it is; without one, the deadline is in `else_seconds`.
        """
        reply = await self._shards.settled_call(
            SHARD,
            "store_drain",
            name=name,
            id=drain_id,
            **({} if seconds is None else {"deadline_in_ms": round(seconds * 1000)}),
            else_in_ms=round(else_seconds * 1000),
            who=who,
            reason=reason,
            cancel=cancel,
        )
        return msgspec.convert(unpacked(reply), DrainStored)

    async def lift_drain(self, name: str) -> DrainLifted:
        """These workers take jobs again, unless another drain is for them."""
        reply = await self._shards.settled_call(SHARD, "lift_drain", name=name)
        return msgspec.convert(unpacked(reply), DrainLifted)

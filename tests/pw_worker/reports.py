"""Reports of workers that are not there."""

from typing import Any

from msgspec.structs import replace

from pageworker_supervisor.contract.worker_report import WorkerReport

READY = WorkerReport(
    worker_id="w1",
    name="w1.1",
    host="h",
    version="0",
    state="ready",
    reason="",
    tags=(),
    started_at=1.0,
    runner_slots=1,
    pages=2,
    runners_up=0,
    jobs_running=0,
    draining_until=None,
    config_version=0,
    service_seconds=None,
    jobs_per_minute=0.0,
    memory_bytes=0,
)


def worker_report(worker_id: str, *tags: str, run: str = "1", **changes: Any) -> WorkerReport:
    """The report of an idle worker with these tags, and with these fields."""
    return replace(READY, worker_id=worker_id, name=f"{worker_id}.{run}", tags=tags, **changes)

"""A lease and its job, as they go through dispatch together."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pageworker_supervisor.contract.job import Job
from pageworker_supervisor.dispatch import result_builder
from pageworker_supervisor.queue.lease import Lease
from pageworker_supervisor.telemetry import log

if TYPE_CHECKING:
    from loguru import Logger


@dataclass
class ClaimedJob:
    """One claimed job. `version` is filled in once its module is resolved."""

    lease: Lease
    job: Job
    version: str | None = None
    log: "Logger" = field(init=False)

    def __post_init__(self) -> None:
        self.log = log.bind(
            job=str(self.job.ref),
            tenant_id=self.job.tenant_id,
            trace_id=result_builder.trace_of(self.job),
            attempt=self.lease.attempt,
        )

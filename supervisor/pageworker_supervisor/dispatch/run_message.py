"""What a runner is told of a job. Pure."""

from collections.abc import Mapping

from pageworker_sandbox.signing import VerifiedBundle
from pageworker_sandbox.wire import messages as m
from pageworker_supervisor.contract.job import Job
from pageworker_supervisor.dispatch.outcome import trace_of
from pageworker_supervisor.queue.claim import Lease


def run_message(
    job: Job,
    lease: Lease,
    attempt: int,
    bundle: VerifiedBundle,
    timeout_seconds: float,
    flags: Mapping[str, bool],
    *,
    spans: bool = False,
) -> m.Run:
    """The Run of an attempt. `timeout_seconds`: where neither the job nor its module says how long it may take.
    `spans`: the job is sampled.

    It holds no secret. A module asks for those that it needs.
    """
    return m.Run(
        attempt_id=lease.token,
        job_id=job.job_id,
        tenant_id=job.tenant_id,
        profile_id=job.profile_id,
        module=bundle.name,
        version=bundle.version,
        payload=bytes(job.payload),
        attempt=attempt,
        timeout_seconds=job.timeout_seconds or bundle.manifest.timeout_seconds or timeout_seconds,
        trace_id=trace_of(job),
        flags=dict(flags),
        begin_before=lease.begin_before,
        spans=spans,
    )

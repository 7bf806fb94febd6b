"""What a runner is told of a job. Pure."""

from pageworker_sandbox.signing import VerifiedBundle
from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.profile_report import ProbeWish
from pageworker_supervisor.config.flags import flags_for
from pageworker_supervisor.contract.job import Job
from pageworker_supervisor.dispatch.attempt_services import AttemptServices
from pageworker_supervisor.dispatch.outcome import trace_of
from pageworker_supervisor.queue.claim import Lease


def run_message(
    job: Job,
    lease: Lease,
    attempt: int,
    bundle: VerifiedBundle,
    services: AttemptServices,
    probe: ProbeWish = "no",
    *,
    spans: bool = False,
) -> m.Run:
    """The Run of an attempt. `spans`: the job is sampled. `probe`: whether its login probe runs after it.

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
        timeout_seconds=job.timeout_seconds or bundle.manifest.timeout_seconds or services.jobs.timeout_seconds,
        trace_id=trace_of(job),
        flags=flags_for(services.flags, job.tenant_id, job.job_id),
        begin_before=lease.begin_before,
        spans=spans,
        blocker_check=bundle.manifest.blockers,
        blocker_threshold=services.blockers.value.threshold,
        probe=probe,
        trace=bundle.manifest.trace == "failures" or (bundle.manifest.trace == "retries" and attempt > 1),
    )

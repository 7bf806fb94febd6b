"""What the end of a job says about the version of its module, while a rollout of the module runs. Pure."""

from collections.abc import Callable
from typing import Protocol

from pageworker_supervisor.contract.job import Job
from pageworker_supervisor.contract.traffic import Traffic
from pageworker_supervisor.dispatch.outcome import EndJob, Outcome, last_version, past_attempts
from pageworker_supervisor.queue.claim import Lease
from pageworker_supervisor.queue.rollout_store import observation_request
from pageworker_supervisor.rollouts.observation import observed_fields
from pageworker_supervisor.rollouts.rollout_entry import Rollout


class EndedJob(Protocol):
    """What has to be known of the job."""

    lease: Lease
    job: Job
    version: str | None
    rollout: Rollout | None

    @property
    def traffic(self) -> Traffic: ...


def job_observation(
    attempt: EndedJob, end: EndJob, outcome: Outcome | None, running_rollout: Callable[[str], Rollout | None]
) -> dict[str, object] | None:
    """What is counted with the end of the job. None: nothing, because it is part of no rollout.

    A job that is dead has no version in its last claim: its earlier attempts tell it.
    """
    job, rollout, version = attempt.job, attempt.rollout, attempt.version
    past = past_attempts(job, attempt.lease)
    if rollout is None and end.status == "dead":
        rollout, version = running_rollout(job.module_name), last_version(job, attempt.lease)
        if rollout is not None and past and past[-1].started_at.timestamp() * 1000 < rollout.started_at_ms:
            return None
    if rollout is None or version is None:
        return None
    # A worker that was lost gives no reason: its module is not to blame.
    crashed = any(each.outcome == "lost" and each.reason and each.module_version == version for each in past)
    fields = observed_fields(
        rollout,
        version,
        end.status,
        crashed=crashed,
        ran_seconds=outcome.ran_seconds if outcome is not None else 0.0,
        traffic_bytes=attempt.traffic.bytes_in + attempt.traffic.bytes_out,
    )
    return observation_request(job.module_name, rollout.id, rollout.started_at_ms, fields) if fields else None

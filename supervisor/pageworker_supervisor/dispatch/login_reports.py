"""What an attempt tells of the login of its profile: to the fleet's record, the metrics and the log."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pageworker_sandbox.wire.profile_report import MAX_PROFILE_EVIDENCE
from pageworker_supervisor.contract.job import Job
from pageworker_supervisor.contract.profile_login import LoginEvent
from pageworker_supervisor.dispatch.outcome import Outcome
from pageworker_supervisor.queue.profile_logins import ProfileLogins
from pageworker_supervisor.redis_client.errors import RedisClientError
from pageworker_supervisor.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from loguru import Logger


@dataclass(frozen=True)
class LoginFinding:
    """What was found, and where."""

    event: LoginEvent
    url: str
    evidence: Mapping[str, str]


class EndedAttempt(Protocol):
    """What is read of an attempt."""

    job: Job
    log: "Logger"


def finding_of(outcome: Outcome) -> LoginFinding | None:
    """What the module said last. If it said nothing, a job that a login blocks shows that one is needed. Pure."""
    if (said := outcome.profile) is not None:
        return LoginFinding(LoginEvent(said.state), said.url or "", said.evidence)
    obstacle = outcome.obstacle
    if obstacle is not None and obstacle.kind == "login_required":
        # A runner may send any number of entries.
        evidence = dict(list(obstacle.evidence.items())[:MAX_PROFILE_EVIDENCE])
        return LoginFinding(LoginEvent.NEEDS_LOGIN, (obstacle.url or "").partition("?")[0], evidence)
    return None


class LoginReports:
    """Reports are best effort: one that Redis does not take is not repeated. The next job of the profile brings one."""

    def __init__(self, logins: ProfileLogins | None, metrics: Metrics) -> None:
        """`logins`: None: nothing is kept. A local run has no fleet."""
        self._logins = logins
        self._metrics = metrics

    async def attempt_ended(self, attempt: EndedAttempt, outcome: Outcome) -> None:
        """Record what this attempt tells, if it tells anything and has a profile."""
        finding = finding_of(outcome)
        if finding is not None:
            await self.report(attempt, finding)

    async def report(self, attempt: EndedAttempt, finding: LoginFinding) -> None:
        """Record what was found of the attempt's profile. A job without a profile has nothing to record."""
        job = attempt.job
        if self._logins is None or job.profile_id is None:
            return
        try:
            change = await self._logins.report(
                *(job.tenant_id, job.profile_id, finding.event),
                module=job.module_name,
                job_id=job.job_id,
                url=finding.url,
                evidence=finding.evidence,
            )
        except RedisClientError as error:
            attempt.log.warning("the login of a profile is not recorded", profile_id=job.profile_id, reason=str(error))
            return
        self._metrics.profiles.login_reported(finding.event.value)
        if change.before is not change.after:
            attempt.log.info(
                "profile state", profile_id=job.profile_id, state=change.after.value, was=change.before.value
            )

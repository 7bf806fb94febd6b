"""What jobs and login probes tell of the login of their profile: to the fleet's record, the metrics and the log.

Reports are best effort: one that Redis does not take is not repeated. The next job of the profile brings one.
"""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn, Protocol, TypeVar
from weakref import WeakValueDictionary

from pageworker_sandbox.signing import Manifest
from pageworker_sandbox.wire.profile_report import MAX_PROFILE_EVIDENCE, ProbeWish, ProfileReport
from pageworker_supervisor.contract.job import Job
from pageworker_supervisor.contract.profile_login import LoginEvent, ProfileLogin
from pageworker_supervisor.dispatch.outcome import Outcome
from pageworker_supervisor.dispatch.secret_requests import mask_profile
from pageworker_supervisor.queue.profile_logins import ProfileLogins
from pageworker_supervisor.redis_client.errors import RedisClientError
from pageworker_supervisor.runners.page_reservation import OnLogin, PageReservation
from pageworker_supervisor.runners.runner_state import NO_PROCESS
from pageworker_supervisor.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from loguru import Logger

K = TypeVar("K")
V = TypeVar("V")

WAITING = 1000
"""Reports that wait for Redis."""
REMEMBERED = 10_000
"""Profiles of which it is remembered when they were heard of last, and their state. One that was forgotten is probed
sooner."""


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
        return finding_of_report(said)
    obstacle = outcome.obstacle
    if obstacle is not None and obstacle.kind == "login_required":
        # A runner may send any number of entries.
        evidence = dict(list(obstacle.evidence.items())[:MAX_PROFILE_EVIDENCE])
        return LoginFinding(LoginEvent.NEEDS_LOGIN, (obstacle.url or "").partition("?")[0], evidence)
    return None


def finding_of_report(report: ProfileReport) -> LoginFinding:
    """The same of a report."""
    return LoginFinding(LoginEvent(report.state), report.url or "", report.evidence)


def keep_newest(kept: dict[K, V], key: K, value: V) -> None:
    """Put an entry at the end, and drop the oldest one above REMEMBERED."""
    kept.pop(key, None)
    kept[key] = value
    if len(kept) > REMEMBERED:
        del kept[next(iter(kept))]


class LoginReports:
    """Takes reports at once, and passes them on in `run`."""

    def __init__(self, logins: ProfileLogins, metrics: Metrics, probe_seconds: float) -> None:
        """`probe_seconds`: after which a profile is probed of which nothing was heard."""
        self._logins = logins
        self._metrics = metrics
        self._probe_seconds = probe_seconds
        self._heard: dict[tuple[str, str], float] = {}
        """When each profile was heard of last, or a probe was asked for. Monotonic seconds."""
        self.states: dict[tuple[str, str | None], ProfileLogin] = {}
        """What this worker has recorded last, by tenant and profile."""
        self._probing: WeakValueDictionary[str, PageReservation] = WeakValueDictionary()
        """By tenant: the page of the newest job that a probe may follow."""
        self._waiting: asyncio.Queue[tuple[EndedAttempt, LoginFinding]] = asyncio.Queue(WAITING)

    def probe(self, job: Job, manifest: Manifest) -> ProbeWish:
        """Whether the job's module is to look after this job. It counts as asked.

        A probe keeps a page and its runner after the job has given its permits back. So each tenant has one at a time
        here: else its limits would not keep it from all runner slots. A profile that misses its turn stays due.
        """
        if job.profile_id is None or not manifest.login_probe:
            return "no"
        page = self._probing.get(job.tenant_id)
        if page is not None and page.taken and page.runner.state not in NO_PROCESS:
            return "no"
        now, profile = time.monotonic(), (job.tenant_id, job.profile_id)
        if now - self._heard.get(profile, -self._probe_seconds) < self._probe_seconds:
            return "login_required"
        self._hear(profile, now)
        return "due"

    def probed(self, attempt: EndedAttempt, page: PageReservation) -> OnLogin:
        """What to call with the report of the attempt's probe, which may follow it on this page."""
        self._probing[attempt.job.tenant_id] = page
        return lambda report: self._put(attempt, finding_of_report(mask_profile(report, page.masker)))

    def attempt_ended(self, attempt: EndedAttempt, outcome: Outcome) -> None:
        """Take what this attempt tells, if it tells anything and has a profile."""
        finding = finding_of(outcome)
        if finding is not None:
            self._put(attempt, finding)

    async def run(self) -> NoReturn:
        """Record the reports, until cancelled."""
        while True:
            await self._record(*await self._waiting.get())

    def _put(self, attempt: EndedAttempt, finding: LoginFinding) -> None:
        job = attempt.job
        if job.profile_id is not None:
            self._hear((job.tenant_id, job.profile_id), time.monotonic())
            with suppress(asyncio.QueueFull):
                self._waiting.put_nowait((attempt, finding))

    def _hear(self, profile: tuple[str, str], now: float) -> None:
        keep_newest(self._heard, profile, now)

    async def _record(self, attempt: EndedAttempt, finding: LoginFinding) -> None:
        job, profile_id = attempt.job, attempt.job.profile_id or ""
        try:
            change = await self._logins.report(
                *(job.tenant_id, profile_id, finding.event),
                module=job.module_name,
                job_id=job.job_id,
                url=finding.url,
                evidence=finding.evidence,
            )
        except RedisClientError as error:
            attempt.log.warning("the login of a profile is not recorded", profile_id=profile_id, reason=str(error))
            return
        self._metrics.profiles.login_reported(finding.event.value)
        keep_newest(self.states, (job.tenant_id, profile_id), change.after)
        if change.before is not change.after:
            attempt.log.info("profile state", profile_id=profile_id, state=change.after.value, was=change.before.value)

"""Does what the tenant's policy says after a blocked attempt: cools the profile down, pauses the domain, and answers
whether the job is tried again.

What cannot be done because Redis does not answer is left out, and missing in the actions: the end of the job must not
wait for it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from msgspec import structs

from pageworker_supervisor.config.blocker_settings import BlockerPolicy, PolicyKind
from pageworker_supervisor.config.settings import TenantSettings
from pageworker_supervisor.contract.job import Job
from pageworker_supervisor.contract.result import Blocker
from pageworker_supervisor.dispatch.blocker_policy import (
    BlockerSteps,
    blocked_before,
    domain_to_pause,
    policy_of,
    steps_after,
)
from pageworker_supervisor.dispatch.outcome import past_attempts
from pageworker_supervisor.queue.claim import Lease
from pageworker_supervisor.queue.pauses import Pauses
from pageworker_supervisor.queue.profile_cooling import ProfileCooling
from pageworker_supervisor.redis_client.errors import RedisClientError
from pageworker_supervisor.runners.errors import SpawnFailed
from pageworker_supervisor.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from loguru import Logger

BY = "blocker policy"
"""Who pauses a domain, as `workerctl pause` shows it."""


class ProfileCools(SpawnFailed):
    """No job of the profile may start yet."""

    cause = "cool_down"

    def __init__(self, profile_id: str, seconds: float) -> None:
        super().__init__(f"profile {profile_id} cools down after a blocker, for {seconds:.0f} s more")
        self.defer_seconds = seconds


class BlockedJob(Protocol):
    """What is read of an attempt."""

    job: Job
    lease: Lease
    log: "Logger"


@dataclass(frozen=True)
class BlockerResponse:
    """Of one worker. `tenant_settings`: of a tenant, now. `is_local`: a local run, which has no Redis and gives each
    job one attempt, so it follows no policies."""

    tenant_settings: Callable[[str], TenantSettings]
    cooling: ProfileCooling
    pauses: Pauses
    metrics: Metrics
    is_local: bool = False

    def policies(self, tenant_id: str) -> Mapping[PolicyKind, BlockerPolicy]:
        """Those of a tenant, now, by kind."""
        return {} if self.is_local else self.tenant_settings(tenant_id).blockers

    async def respond(self, attempt: BlockedJob, blocker: Blocker, *, may_retry: bool, jitter: float) -> BlockerSteps:
        """What was done, and whether the job is tried again. `may_retry`: it has attempts left. Raises nothing of
        Redis."""
        job = attempt.job
        policies = self.policies(job.tenant_id)
        if not policies:
            return BlockerSteps()
        steps = steps_after(
            policy_of(policies, blocker.kind),
            has_profile=job.profile_id is not None,
            blocked_before=blocked_before(past_attempts(job, attempt.lease)),
            may_retry=may_retry,
            jitter=jitter,
        )
        if steps.cool_seconds and not await self._cool(attempt, job.profile_id or "", steps.cool_seconds):
            # A retry that nothing holds back would be hot.
            steps = structs.replace(steps, cool_seconds=0.0, retry_seconds=None)
        if steps.pause_seconds and not await self._pause(attempt, blocker, steps.pause_seconds):
            steps = structs.replace(steps, pause_seconds=0.0)
        for action in steps.actions:
            self.metrics.jobs.blocker_action(action, blocker.kind)
        return steps

    async def check_cooling(self, job: Job) -> None:
        """Raises ProfileCools if the profile of the job cools down, RedisClientError."""
        if job.profile_id is None or not any(
            policy.cool_profile_seconds for policy in self.policies(job.tenant_id).values()
        ):
            return
        left = await self.cooling.seconds_left(job.tenant_id, job.profile_id)
        if left:
            raise ProfileCools(job.profile_id, left)

    async def _cool(self, attempt: BlockedJob, profile_id: str, seconds: float) -> bool:
        try:
            await self.cooling.cool(attempt.job.tenant_id, profile_id, seconds)
        except RedisClientError as away:
            attempt.log.warning("profile not cooled down after a blocker", reason=str(away))
            return False
        attempt.log.info("profile cools down after a blocker", profile_id=profile_id, seconds=seconds)
        return True

    async def _pause(self, attempt: BlockedJob, blocker: Blocker, seconds: float) -> bool:
        domain = domain_to_pause(attempt.job, blocker.url)
        if domain is None:
            attempt.log.info("domain not paused after a blocker: the blocked page is not of the job's own site")
            return False
        reason = f"{blocker.kind} by {blocker.provider or 'the site'}, in a job of tenant {attempt.job.tenant_id}"
        # An operator's pause stays as it is, and so does an earlier one of a policy: a site cannot extend it for ever.
        change = await self.pauses.pause("domain", domain, reason, BY, seconds, keep=True)
        if change.failed or change.full:
            attempt.log.warning("domain not paused on every shard", domain=domain, failed=dict(change.failed))
        return bool(change.answered) and not change.full

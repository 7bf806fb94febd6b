"""What follows a blocked attempt: the end of its job, or another attempt, and what is spared. Pure.

pageworker does not defeat blockers. A policy only says how long to stay away, and from where to try again. A job with a
profile is tried again only after a cool-down of the profile: its login is what a site takes away first.
"""

import dataclasses
from collections.abc import Callable, Mapping

from msgspec import UNSET, Struct, structs

from pageworker_sandbox.hostname import HostInvalid, host_of_url
from pageworker_supervisor.config.blocker_settings import ANY_KIND, BlockerPolicy, PolicyKind
from pageworker_supervisor.contract.job import INVALID_MARK, TENANT_MARK, Job
from pageworker_supervisor.contract.result import AttemptRecord, BlockedAttempt, Blocker, BlockerActions, BlockerKind
from pageworker_supervisor.dispatch.outcome import EndJob, RetryJob, error, past_attempts
from pageworker_supervisor.queue.claim import Lease

NO_POLICY = BlockerPolicy()


class BlockerSteps(Struct, frozen=True, kw_only=True):
    """What is done. Seconds; 0: not done."""

    retry_seconds: float | None = None
    """Until the next attempt. None: the job ends."""
    proxy: str | None = None
    """The proxy policy of the next attempt, in place of its own."""
    cool_seconds: float = 0.0
    pause_seconds: float = 0.0

    @property
    def actions(self) -> BlockerActions:
        """The same for results and events."""
        actions: BlockerActions = {}
        if self.cool_seconds:
            actions["cool_profile"] = self.cool_seconds
        if self.pause_seconds:
            actions["pause_domain"] = self.pause_seconds
        if self.retry_seconds is not None:
            actions["retry"] = round(self.retry_seconds, 3)
            if self.proxy is not None:
                actions["proxy"] = self.proxy
        return actions


def policy_of(policies: Mapping[PolicyKind, BlockerPolicy], kind: BlockerKind) -> BlockerPolicy:
    """The tenant's policy for this kind of blocker, else its policy for all kinds, else one that does nothing."""
    return policies.get(kind) or policies.get(ANY_KIND) or NO_POLICY


def steps_after(
    policy: BlockerPolicy, *, has_profile: bool, blocked_before: int, may_retry: bool, jitter: float
) -> BlockerSteps:
    """What to do. `blocked_before`: earlier attempts of the job that were blocked. `may_retry`: the job has attempts
    left. `jitter` in [0, 1): up to a tenth of the delay is added, so that jobs spread out."""
    cool = policy.cool_profile_seconds if has_profile else 0.0
    hot = has_profile and not cool
    retry = may_retry and not hot and blocked_before < policy.retries
    delay = max(policy.delay_seconds, cool) * (1 + jitter / 10)
    return BlockerSteps(
        retry_seconds=delay if retry else None,
        proxy=policy.proxy,
        cool_seconds=cool,
        pause_seconds=policy.pause_domain_seconds,
    )


def after_blocker(end: EndJob, steps: BlockerSteps) -> EndJob | RetryJob:
    """What becomes of a job that a blocker would end."""
    if end.blocker is None:
        return end
    blocker = structs.replace(end.blocker, actions=steps.actions) if steps.actions else end.blocker
    if steps.retry_seconds is None:
        return dataclasses.replace(end, blocker=blocker)
    told = f"blocked: {blocker.kind} by {blocker.provider or 'the site'}"
    why = end.error or error("blocked", told, retryable=True)
    return RetryJob(steps.retry_seconds, structs.replace(why, retryable=True), blocker)


def blocked_record(record: AttemptRecord, blocker: Blocker) -> AttemptRecord:
    """The record of an attempt with what blocked it, and what was done."""
    actions = {} if blocker.actions is UNSET else blocker.actions
    return structs.replace(
        record, blocker=BlockedAttempt(kind=blocker.kind, provider=blocker.provider, actions=actions)
    )


def domain_to_pause(job: Job, blocked_url: str | None) -> str | None:
    """The domain whose claims are paused: the job's own, if its URL confirms it and the blocked page is there. Else
    None.

    Neither a page that sends the browser elsewhere, nor the field `domain` of a job, may pause another site.
    """
    domain = job.domain_key
    if domain is None or blocked_url is None or TENANT_MARK in domain or domain.startswith(INVALID_MARK):
        return None
    try:
        host = host_of_url(blocked_url)
    except HostInvalid:
        return None
    return domain if host == domain or (host is not None and host.endswith(f".{domain}")) else None


def blocked_before(past: tuple[AttemptRecord, ...]) -> int:
    """How many of these attempts a site has blocked."""
    return sum(record.outcome == "blocked" for record in past)


def job_after_blocker(job: Job, lease: Lease, permits: Callable[[str, str], bool]) -> Job:
    """The job, with the proxy policy that its newest blocked attempt chose for those after it.

    `permits(tenant, name)`: whether the tenant may use a policy, now. One that is gone changes nothing.
    """
    for record in reversed(past_attempts(job, lease)):
        if record.blocker is not UNSET:
            name = record.blocker.actions.get("proxy")
            return structs.replace(job, proxy=name) if isinstance(name, str) and permits(job.tenant_id, name) else job
    return job

"""What follows a blocked attempt, without a queue."""

import datetime as dt
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pw_leases import new_lease

from pageworker_supervisor.config.blocker_settings import BlockerPolicy
from pageworker_supervisor.contract.job import Job
from pageworker_supervisor.contract.result import AttemptRecord, BlockedAttempt, Blocker
from pageworker_supervisor.dispatch.blocker_policy import (
    NO_POLICY,
    BlockerSteps,
    after_blocker,
    blocked_before,
    blocked_record,
    domain_to_pause,
    job_after_blocker,
    policy_of,
    steps_after,
)
from pageworker_supervisor.dispatch.outcome import EndJob, RetryJob

RECORD = AttemptRecord(
    attempt=1,
    started_at=dt.datetime(2030, 1, 1, tzinfo=dt.UTC),
    duration_seconds=1,
    outcome="blocked",
    worker_id="w1",
)
END = EndJob("blocked", None, Blocker(kind="captcha", provider="guard"))


def steps(policy: BlockerPolicy, **given: Any) -> BlockerSteps:
    usual: dict[str, Any] = {"has_profile": False, "blocked_before": 0, "may_retry": True, "jitter": 0.0}
    return steps_after(policy, **{**usual, **given})


def job(url: str | None = None, **more: Any) -> Job:
    payload = msgspec.Raw(json.dumps({"url": url} if url else {}).encode())
    return Job(job_id="j", tenant_id="acme", endpoint_module="shop.product", payload=payload, **more)


def test_the_policy_of_the_kind_counts_before_that_of_all() -> None:
    every, one = BlockerPolicy(retries=1), BlockerPolicy(retries=2)
    assert policy_of({"*": every, "captcha": one}, "captcha") is one
    assert policy_of({"*": every, "captcha": one}, "challenge") is every
    assert policy_of({}, "challenge") is NO_POLICY
    assert steps(NO_POLICY) == BlockerSteps()


def test_a_job_is_tried_again_as_often_as_both_limits_allow() -> None:
    policy = BlockerPolicy(retries=2, delay_seconds=10, proxy="other")
    assert steps(policy).actions == {"retry": 10.0, "proxy": "other"}
    assert steps(policy, jitter=0.5).retry_seconds == 10.5
    assert steps(policy, blocked_before=1).retry_seconds == 10.0
    assert steps(policy, blocked_before=2).actions == {}
    assert steps(policy, may_retry=False).actions == {}


@given(
    policy=st.builds(
        BlockerPolicy,
        retries=st.integers(0, 20),
        delay_seconds=st.floats(0, 1000),
        cool_profile_seconds=st.one_of(st.just(0.0), st.floats(60, 1000)),
    ),
    blocked_before=st.integers(0, 20),
    jitter=st.floats(0, 1, exclude_max=True),
)
def test_a_profile_is_never_tried_again_hot(policy: BlockerPolicy, blocked_before: int, jitter: float) -> None:
    found = steps(policy, has_profile=True, blocked_before=blocked_before, jitter=jitter)
    assert found.cool_seconds == policy.cool_profile_seconds
    if found.retry_seconds is not None:
        assert found.retry_seconds >= found.cool_seconds >= 60
    assert steps(policy, blocked_before=blocked_before).cool_seconds == 0.0


@pytest.mark.parametrize(
    ("url", "domain", "blocked", "paused"),
    [
        ("https://shop.example/a", None, "https://shop.example/blocked", "shop.example"),
        ("https://www.shop.example/a", "shop.example", "https://captcha.shop.example/", "shop.example"),
        # A page cannot have another site paused, nor can the field `domain`.
        ("https://shop.example/a", None, "https://victim.example/", None),
        ("https://shop.example/a", "victim.example", "https://victim.example/", None),
        (None, "shop.example", "https://shop.example/", None),
        (None, None, "https://shop.example/", None),
        ("https://shop.example/a", None, None, None),
        ("https://shop.example/a", None, "about:blank", None),
        ("https://sh op.example/a", None, "https://sh op.example/", None),
    ],
)
def test_which_domain_is_paused(url: str | None, domain: str | None, blocked: str | None, paused: str | None) -> None:
    assert domain_to_pause(job(url, domain=domain), blocked) == paused


def test_the_end_and_the_retry_tell_what_was_done() -> None:
    assert after_blocker(END, BlockerSteps()) == END
    ended = after_blocker(END, BlockerSteps(cool_seconds=60.0))
    assert isinstance(ended, EndJob)
    assert ended.blocker is not None
    assert ended.blocker.actions == {"cool_profile": 60.0}
    again = after_blocker(END, BlockerSteps(retry_seconds=5.0, pause_seconds=9.0))
    assert isinstance(again, RetryJob)
    assert (again.delay_seconds, again.error.type, again.error.retryable) == (5.0, "blocked", True)
    assert again.blocker is not None
    record = blocked_record(RECORD, again.blocker)
    assert record.blocker == BlockedAttempt(
        kind="captcha", provider="guard", actions={"pause_domain": 9.0, "retry": 5.0}
    )


def test_a_later_attempt_has_the_proxy_that_the_newest_blocked_one_chose() -> None:
    def after(*proxies: str | None, permitted: bool = True) -> str | None:
        records = [
            msgspec.structs.replace(
                RECORD, blocker=BlockedAttempt(kind="captcha", actions={"proxy": name} if name else {})
            )
            for name in proxies
        ]
        lease = new_lease(attempts=tuple(msgspec.json.encode(record) for record in [RECORD, *records]))
        return job_after_blocker(job(proxy="own"), lease, lambda tenant, name: permitted and tenant == "acme").proxy

    assert after() == "own"
    assert after("a", "b") == "b"
    assert after("a", None) == "own"
    assert after("a", permitted=False) == "own"
    assert blocked_before((RECORD, msgspec.structs.replace(RECORD, outcome="failed"))) == 1

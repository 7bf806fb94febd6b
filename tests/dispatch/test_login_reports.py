"""What an attempt tells of its profile, and that a record that fails costs nothing."""

import datetime as dt
from types import SimpleNamespace
from typing import Any

import pytest
from pw_doubles import any_typed

from pageworker_sandbox.wire.messages import Obstacle
from pageworker_sandbox.wire.profile_report import ProfileReport
from pageworker_supervisor.contract.job import Job
from pageworker_supervisor.contract.profile_login import LoginEvent, ProfileLogin
from pageworker_supervisor.dispatch.login_reports import LoginFinding, LoginReports, finding_of
from pageworker_supervisor.dispatch.outcome import Outcome
from pageworker_supervisor.queue.profile_logins import LoginChange
from pageworker_supervisor.redis_client.errors import RedisUnavailable
from pageworker_supervisor.telemetry import log
from pageworker_supervisor.telemetry.metrics import Metrics

NOW = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
HUMAN = ProfileReport(state="needs_human", evidence={"text": "code"}, url="https://shop.example/2fa")
OBSTACLE = Obstacle(kind="login_required", evidence={"selector": "#login"}, url="https://shop.example/login?back=1")


def outcome(**fields: Any) -> Outcome:
    return Outcome(outcome="succeeded", runner_id="w1.1", started_at=NOW, **fields)


@pytest.mark.parametrize(
    ("ended", "found"),
    [
        (outcome(), None),
        (outcome(obstacle=Obstacle(kind="captcha")), None),
        (outcome(profile=HUMAN), LoginFinding(LoginEvent.NEEDS_HUMAN, "https://shop.example/2fa", {"text": "code"})),
        (
            outcome(obstacle=OBSTACLE),
            LoginFinding(LoginEvent.NEEDS_LOGIN, "https://shop.example/login", {"selector": "#login"}),
        ),
        (
            outcome(obstacle=OBSTACLE, profile=HUMAN),
            LoginFinding(LoginEvent.NEEDS_HUMAN, "https://shop.example/2fa", {"text": "code"}),
        ),
    ],
)
def test_the_modules_word_counts_before_a_blocker(ended: Outcome, found: LoginFinding | None) -> None:
    assert finding_of(ended) == found


def test_the_record_of_a_blocker_is_bounded() -> None:
    many = Obstacle(kind="login_required", evidence={str(number): "x" for number in range(1000)})
    found = finding_of(outcome(obstacle=many))
    assert found is not None
    assert len(found.evidence) == 8


class KeptLogins:
    def __init__(self, answer: LoginChange | Exception) -> None:
        self.answer = answer
        self.calls: list[tuple[Any, ...]] = []

    async def report(self, *names: Any, **more: Any) -> LoginChange:
        self.calls.append((*names, more))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def attempt(profile_id: str | None) -> Any:
    job = Job(job_id="j", tenant_id="acme", endpoint_module="shop.cart@1.0.0", profile_id=profile_id)
    return SimpleNamespace(job=job, log=log.bind())


async def test_a_report_names_module_and_job() -> None:
    logins = KeptLogins(LoginChange(ProfileLogin.UNKNOWN, ProfileLogin.NEEDS_HUMAN))
    metrics = Metrics()
    await LoginReports(any_typed(logins), metrics).attempt_ended(attempt("buyer"), outcome(profile=HUMAN))
    about = {"module": "shop.cart", "job_id": "j", "url": HUMAN.url, "evidence": {"text": "code"}}
    assert logins.calls == [("acme", "buyer", LoginEvent.NEEDS_HUMAN, about)]
    assert 'pageworker_profile_login_reports_total{state="needs_human"} 1.0' in metrics.expose().decode()


async def test_a_job_without_a_profile_and_one_that_tells_nothing_record_nothing() -> None:
    logins = KeptLogins(LoginChange(ProfileLogin.UNKNOWN, ProfileLogin.NEEDS_HUMAN))
    reports = LoginReports(any_typed(logins), Metrics())
    await reports.attempt_ended(attempt(None), outcome(profile=HUMAN))
    await reports.attempt_ended(attempt("buyer"), outcome())
    assert logins.calls == []


async def test_a_record_that_fails_costs_the_job_nothing() -> None:
    reports = LoginReports(any_typed(KeptLogins(RedisUnavailable("away"))), Metrics())
    await reports.attempt_ended(attempt("buyer"), outcome(profile=HUMAN))

"""What an attempt tells of its profile, and that a record that fails costs nothing."""

import asyncio
import datetime as dt
import time
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec import structs
from pw_doubles import any_typed

from pageworker_sandbox.signing import Manifest
from pageworker_sandbox.wire.messages import Obstacle
from pageworker_sandbox.wire.profile_report import ProfileReport
from pageworker_supervisor.contract.job import Job
from pageworker_supervisor.contract.profile_login import LoginEvent, ProfileLogin
from pageworker_supervisor.dispatch import login_reports
from pageworker_supervisor.dispatch.login_reports import LoginFinding, LoginReports, finding_of, keep_newest
from pageworker_supervisor.dispatch.outcome import Outcome
from pageworker_supervisor.queue.profile_logins import LoginChange
from pageworker_supervisor.redis_client.errors import RedisUnavailable
from pageworker_supervisor.runners.runner_state import RunnerState
from pageworker_supervisor.secrets.masker import SecretMasker
from pageworker_supervisor.telemetry import log
from pageworker_supervisor.telemetry.metrics import Metrics

NOW = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
HUMAN = ProfileReport(state="needs_human", evidence={"text": "code"}, url="https://shop.example/2fa")
OBSTACLE = Obstacle(kind="login_required", evidence={"selector": "#login"}, url="https://shop.example/login?back=1")

PROBES = Manifest(name="shop.cart", version="1.0.0", entrypoint="shop_cart:handler", sdk=">=1", login_probe=True)


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


def test_of_many_profiles_the_newest_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login_reports, "REMEMBERED", 2)
    kept: dict[str, int] = {}
    for number, name in enumerate(("a", "b", "a", "c")):
        keep_newest(kept, name, number)
    assert kept == {"a": 2, "c": 3}


class KeptLogins:
    def __init__(self, answer: LoginChange | Exception) -> None:
        self.answer = answer
        self.calls: list[tuple[Any, ...]] = []
        self.called = asyncio.Semaphore(0)

    async def report(self, *names: Any, **more: Any) -> LoginChange:
        self.calls.append((*names, more))
        self.called.release()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def attempt(profile_id: str | None) -> Any:
    job = Job(job_id="j", tenant_id="acme", endpoint_module="shop.cart@1.0.0", profile_id=profile_id)
    return SimpleNamespace(job=job, log=log.bind())


class KeptPage:
    """The page of a job that a probe may follow."""

    def __init__(self, masker: SecretMasker | None = None) -> None:
        self.masker = masker
        self.taken = True
        self.runner = SimpleNamespace(state=RunnerState.READY)


async def told(reports: LoginReports, logins: KeptLogins, calls: int) -> None:
    """Until so many reports have been recorded, or tried."""
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(reports.run())
        async with asyncio.timeout(5):
            for _ in range(calls):
                await logins.called.acquire()
        running.cancel()


async def test_a_report_names_module_and_job() -> None:
    logins = KeptLogins(LoginChange(ProfileLogin.UNKNOWN, ProfileLogin.NEEDS_HUMAN))
    metrics = Metrics()
    reports = LoginReports(any_typed(logins), metrics, 60)
    reports.attempt_ended(attempt("buyer"), outcome(profile=HUMAN))
    await told(reports, logins, 1)
    about = {"module": "shop.cart", "job_id": "j", "url": HUMAN.url, "evidence": {"text": "code"}}
    assert logins.calls == [("acme", "buyer", LoginEvent.NEEDS_HUMAN, about)]
    assert reports.states == {("acme", "buyer"): ProfileLogin.NEEDS_HUMAN}
    assert 'pageworker_profile_login_reports_total{state="needs_human"} 1.0' in metrics.expose().decode()


async def test_a_job_without_a_profile_and_one_that_tells_nothing_record_nothing() -> None:
    logins = KeptLogins(LoginChange(ProfileLogin.UNKNOWN, ProfileLogin.NEEDS_HUMAN))
    reports = LoginReports(any_typed(logins), Metrics(), 60)
    reports.attempt_ended(attempt(None), outcome(profile=HUMAN))
    reports.attempt_ended(attempt("buyer"), outcome())
    reports.attempt_ended(attempt("last"), outcome(profile=HUMAN))
    await told(reports, logins, 1)
    assert [call[1] for call in logins.calls] == ["last"]


async def test_a_record_that_fails_ends_nothing() -> None:
    logins = KeptLogins(RedisUnavailable("away"))
    reports = LoginReports(any_typed(logins), Metrics(), 60)
    for _ in range(2):
        reports.attempt_ended(attempt("buyer"), outcome(profile=HUMAN))
    await told(reports, logins, 2)


async def test_the_report_of_a_probe_is_masked() -> None:
    logins = KeptLogins(LoginChange(ProfileLogin.UNKNOWN, ProfileLogin.NEEDS_HUMAN))
    reports = LoginReports(any_typed(logins), Metrics(), 60)
    masker = SecretMasker()
    masker.add("login", "correct-horse")
    report = ProfileReport(state="needs_human", evidence={"text": "correct-horse"})
    reports.probed(attempt("buyer"), any_typed(KeptPage(masker)))(report)
    await told(reports, logins, 1)
    assert logins.calls[0][-1]["evidence"] == {"text": "(secret login)"}


def test_a_profile_is_probed_when_nothing_was_heard_of_it_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    reports = LoginReports(any_typed(None), Metrics(), probe_seconds=60)
    job, other = attempt("buyer").job, attempt("other").job
    assert reports.probe(job, structs.replace(PROBES, login_probe=False)) == "no"
    assert reports.probe(attempt(None).job, PROBES) == "no"
    assert [reports.probe(job, PROBES), reports.probe(job, PROBES), reports.probe(other, PROBES)] == [
        "due",
        "login_required",
        "due",
    ]
    now += 59
    assert reports.probe(job, PROBES) == "login_required"
    reports.attempt_ended(attempt("buyer"), outcome(profile=HUMAN))
    now += 59
    assert reports.probe(job, PROBES) == "login_required", "its own report counts as one"
    now += 1
    assert reports.probe(job, PROBES) == "due"


def test_a_tenant_has_one_probe_at_a_time_on_a_worker() -> None:
    reports = LoginReports(any_typed(None), Metrics(), probe_seconds=60)
    first, second, page = attempt("buyer"), attempt("other"), KeptPage()
    assert reports.probe(first.job, PROBES) == "due"
    reports.probed(first, any_typed(page))
    assert reports.probe(second.job, PROBES) == "no"
    assert reports.probe(structs.replace(second.job, tenant_id="globex"), PROBES) == "due"
    page.taken = False
    assert reports.probe(second.job, PROBES) == "due", "it has missed its turn, and is due still"
    reports.probed(second, any_typed(died := KeptPage()))
    died.runner.state = RunnerState.GONE
    assert reports.probe(first.job, PROBES) == "login_required"

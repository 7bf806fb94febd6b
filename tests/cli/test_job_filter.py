"""Filters of jobs, and times on the command line."""

import datetime as dt

import pytest

from pageworker_supervisor.cli.answers import JobRow
from pageworker_supervisor.cli.job_filter import JobFilter, TimeInvalid, bare, instant_of

NOW = dt.datetime(2026, 11, 27, 12, 0, tzinfo=dt.UTC)
EVER = (float("inf"), float("-inf"))


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("30s", NOW - dt.timedelta(seconds=30)),
        ("1.5m", NOW - dt.timedelta(seconds=90)),
        ("2h", NOW - dt.timedelta(hours=2)),
        ("7d", NOW - dt.timedelta(days=7)),
        ("2026-11-27T11:00:00Z", NOW - dt.timedelta(hours=1)),
        ("2026-11-27T13:00:00+02:00", NOW - dt.timedelta(hours=1)),
    ],
)
def test_a_duration_is_before_now(text: str, instant: dt.datetime) -> None:
    assert instant_of(text, NOW) == instant


@pytest.mark.parametrize(
    "text", ["", "10", "10 m", "m", "-5m", "2026-11-27", "2026-11-27T11:00:00", "999999999d", "1m\n"]
)
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(TimeInvalid):
        instant_of(text, NOW)


@pytest.mark.parametrize(
    ("wanted", "holds"),
    [
        (JobFilter(), True),
        (JobFilter(tenant="acme"), True),
        (JobFilter(tenant="b"), False),
        (JobFilter(module="shop.*"), True),
        (JobFilter(module="shop"), False),
        (JobFilter(module="*@*"), False),
        (JobFilter(status=("failed", "dead")), True),
        (JobFilter(status=("dead",)), False),
        (JobFilter(blocker=("captcha",)), True),
        (JobFilter(blocker=("challenge",)), False),
        (JobFilter(text="b-1"), True),
        (JobFilter(text="B-1"), False),
    ],
)
def test_a_filter_holds_or_not(wanted: JobFilter, holds: bool) -> None:
    row = JobRow(
        job_id="job-1", tenant_id="acme", module="shop.product@1.0.0", state="ended", status="failed", blocker="captcha"
    )
    assert wanted.holds(row, EVER) is holds


def test_the_bounds_are_ages() -> None:
    oldest, newest = JobFilter(since="1h", until="10m").bounds(NOW)
    assert (oldest, newest) == (3600, 600)
    ages = (3601, 3600, 600, 599)
    rows = [JobRow(job_id="j", tenant_id="t", module=None, state="queued", age_seconds=age) for age in ages]
    assert [JobFilter().holds(row, (oldest, newest)) for row in rows] == [False, True, True, False]


def test_which_states_are_read() -> None:
    without = {"queued", "delayed", "running", "ending", "finishing", "storing"}
    assert JobFilter().states() == without
    assert JobFilter().states(all_states=True) == {*without, "ended"}
    assert JobFilter(state=("queued",)).states(all_states=True) == {"queued"}
    assert JobFilter(blocker=("captcha",)).states() == {"ended"}
    assert JobFilter(status=("dead",), state=("queued",)).states() == {"ended"}


def test_a_filter_is_given_or_not() -> None:
    assert not JobFilter().given
    assert JobFilter(text="").given


def test_a_module_without_its_version() -> None:
    assert [bare("a.b@1.2.3"), bare("a.b"), bare(None)] == ["a.b", "a.b", ""]

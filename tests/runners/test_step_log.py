"""The steps of an attempt that its result has: the newest, in the order in which they began, within bounds."""

import datetime as dt

import msgspec

from pageworker_sandbox.wire.messages import StepReport
from pageworker_supervisor.contract.result import StepRecord
from pageworker_supervisor.runners.step_log import KEPT_BYTES, KEPT_STEPS, StepLog, newest_within
from pageworker_supervisor.secrets.masker import SecretMasker

BEGAN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
NO_SECRETS = SecretMasker()


def report(number: int, text: str = "x", seconds: float | None = None) -> StepReport:
    return StepReport(attempt_id="a", number=number, text=text, at_seconds=number, seconds=seconds)


def test_the_end_of_a_step_replaces_its_begin() -> None:
    log = StepLog()
    assert [log.add(report(1)), log.add(report(2)), log.add(report(1, seconds=2.5))] == [True, True, False]
    assert log.newest == report(1, seconds=2.5)
    records = log.records(BEGAN, NO_SECRETS)
    assert [(each.number, each.seconds) for each in records] == [(1, 2.5), (2, None)]
    assert records[0].at == BEGAN + dt.timedelta(seconds=1)


def test_the_oldest_are_left_out() -> None:
    log = StepLog()
    for number in range(1, KEPT_STEPS + 6):
        log.add(report(number))
    assert [each.number for each in log.records(BEGAN, NO_SECRETS)] == list(range(6, KEPT_STEPS + 6))
    assert log.add(report(1, seconds=1.0)) is False, "the end of a step that was left out is no new step"
    kept = [each.number for each in log.records(BEGAN, NO_SECRETS)]
    assert kept == [1, *range(7, KEPT_STEPS + 6)], "no more reports than these are in memory"


def test_their_bytes_are_bounded_too() -> None:
    log = StepLog()
    for number in range(1, KEPT_STEPS + 1):
        log.add(report(number, "é" * 500))
    records = log.records(BEGAN, NO_SECRETS)
    assert records[-1].number == KEPT_STEPS
    assert KEPT_BYTES - 1200 < len(msgspec.json.encode(records)) <= KEPT_BYTES + 1


def test_a_step_has_no_secret() -> None:
    log, masker = StepLog(), SecretMasker()
    masker.add("shop_login", "correct-horse")
    fields = {"correct-horse": "is correct-horse"}
    log.add(StepReport(attempt_id="a", number=1, text="try correct-horse", at_seconds=0, fields=fields, error="E"))
    assert b"correct-horse" not in msgspec.json.encode(log.records(BEGAN, masker))


def test_nothing_is_kept_of_one_step_that_is_too_large() -> None:
    step = StepRecord(number=1, at=BEGAN, text="x" * 100)
    assert newest_within((step,), 5, 100) == ()
    assert newest_within((step, step), 1, 1000) == (step,)

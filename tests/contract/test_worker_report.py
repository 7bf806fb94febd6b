"""Reports of workers: what is read, what is no report, and when a report is too old."""

import msgspec
import pytest

from pageworker_supervisor.contract.worker_report import (
    FORGOTTEN_SECONDS,
    SILENT_SECONDS,
    ReportedRunner,
    WorkerReport,
    parse_worker_report,
)

REPORT = WorkerReport(
    worker_id="berlin-1",
    name="berlin-1.0a1b2c",
    host="berlin",
    version="0.2.0",
    state="ready",
    reason="",
    tags=("eu", "large"),
    started_at=1_800_000_000.0,
    runner_slots=4,
    pages=16,
    runners_up=1,
    jobs_running=2,
    draining_until=None,
    config_version=3,
    service_seconds=1.25,
    jobs_per_minute=48.0,
    memory_bytes=300_000_000,
    runners=(
        ReportedRunner(runner_id="r1", tenant_id="acme", state="up", pages=4, running=2, memory_bytes=300_000_000),
    ),
    reported_at=1_800_000_010.0,
)


def test_a_report_is_read_as_it_was_written() -> None:
    assert parse_worker_report(msgspec.json.encode(REPORT)) == REPORT


def test_a_field_of_a_later_version_is_ignored() -> None:
    later = {**msgspec.to_builtins(REPORT), "colour": "blue"}
    assert parse_worker_report(msgspec.json.encode(later)) == REPORT


def test_what_is_no_report_is_none() -> None:
    unknown_state = {**msgspec.to_builtins(REPORT), "state": "asleep"}
    for text in (b"", b"\xff", b"[]", b"{}", msgspec.json.encode(unknown_state), b'{"worker_id": "\xff"}'):
        assert parse_worker_report(text) is None
    assert parse_worker_report(b'{"later": ' + b"[" * 2000 + b"]" * 2000 + b"}") is None


def test_a_report_becomes_silent_and_then_is_forgotten() -> None:
    at = REPORT.reported_at
    assert not REPORT.silent(at + SILENT_SECONDS)
    assert REPORT.silent(at + SILENT_SECONDS + 1)
    assert not REPORT.forgotten(at + FORGOTTEN_SECONDS)
    assert REPORT.forgotten(at + FORGOTTEN_SECONDS + 1)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("reported_at", 1e300),
        ("reported_at", -1e300),
        ("draining_until", 1e12),
        ("pages", -5),
        ("pages", 10**30),
        ("runner_slots", -1),
        ("memory_bytes", -1),
        ("jobs_per_minute", 1e308),
        ("host", "h" * 1_000_000),
        ("tags", ["t"] * 100_000),
    ],
    ids=list("0123456789"),
)
def test_numbers_and_texts_that_no_worker_reports_are_no_report(field: str, value: object) -> None:
    assert parse_worker_report(msgspec.json.encode({**msgspec.to_builtins(REPORT), field: value})) is None


def test_a_text_that_is_nested_too_deeply_is_no_report() -> None:
    text = msgspec.json.encode(REPORT)[:-1] + b',"more":' + b"[" * 100_000
    assert parse_worker_report(text) is None

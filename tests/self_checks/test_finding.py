"""A check as a program reads it, and the worst of several."""

import msgspec

from pageworker_supervisor.self_checks.finding import Finding, unknown, worst


def test_a_finding_is_json_with_all_its_fields() -> None:
    assert msgspec.json.decode(msgspec.json.encode(Finding("redis", False, "away", "start it"))) == {
        "name": "redis",
        "ok": False,
        "found": "away",
        "mend": "start it",
        "known": True,
    }
    assert Finding("redis", True, "there").mend == ""


def test_a_missing_right_is_no_failure() -> None:
    found = unknown("redis_fsync", "CONFIG GET", "ask")
    assert (found.ok, found.known, found.found) == (True, False, "unknown: the right to CONFIG GET is missing")


def test_the_worst_finding_stands_for_all() -> None:
    failed, asked, advised, fine = (
        Finding("x", False, "away"),
        unknown("x", "INFO", "ask"),
        Finding("x", True, "there", "could be better"),
        Finding("x", True, "there"),
    )
    assert worst([fine, advised, asked, failed]) is failed
    assert worst([fine, advised, asked]) is asked
    assert worst([fine, advised]) is advised

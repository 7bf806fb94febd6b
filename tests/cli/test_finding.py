"""A check of `doctor` as a program reads it."""

import msgspec

from pageworker_supervisor.cli.finding import Finding


def test_a_finding_is_json_with_all_its_fields() -> None:
    assert msgspec.json.decode(msgspec.json.encode(Finding("redis", False, "away", "start it"))) == {
        "name": "redis",
        "ok": False,
        "found": "away",
        "mend": "start it",
    }
    assert Finding("redis", True, "there").mend == ""

"""The name that was probably meant."""

import pytest

from pageworker_supervisor.contract.near_name import near_name

KNOWN = ("proxy", "priority", "profile_id", "payload", "job_id", "timeout_seconds")


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("prio", "priority"),
        ("prioritiy", "priority"),
        ("timeout", "timeout_seconds"),
        ("proxi", "proxy"),
        ("profil_id", "profile_id"),
        ("p", None),
        ("jobid", "job_id"),
        ("zzz", None),
        ("", None),
    ],
)
def test_a_beginning_counts_more_than_letters_in_common(given: str, meant: str | None) -> None:
    assert near_name(given, KNOWN) == meant

"""Signed links: what was signed is accepted until it ends, and nothing else."""

from urllib.parse import parse_qs, urlsplit

import pytest

from pageworker_supervisor.artifacts.keys import key_of_url
from pageworker_supervisor.artifacts.links import CLOCK_SECONDS, LONGEST_SECONDS, ArtifactLink, link_to, verify
from pageworker_supervisor.contract.job import JobRef

KEY = "acme/2026-11-28/17/1-screenshot-0123456789ab.png"
SECRET = b"s" * 32
NOW = 1_796_000_000.0
EXPIRES = int(NOW) + 600
LINK = link_to("https://jobs.example/pw/", KEY, EXPIRES, SECRET)


def signature(link: str = LINK) -> str:
    return parse_qs(urlsplit(link).query)["signature"][0]


def test_a_link_names_the_artifact_and_is_verified() -> None:
    assert f"https://jobs.example/pw/v1/artifacts/{KEY}?expires={EXPIRES}&signature={signature()}" == LINK
    assert verify(KEY, str(EXPIRES), signature(), SECRET, NOW) == ArtifactLink(KEY, EXPIRES)
    assert key_of_url(LINK, JobRef("acme", "17")) == KEY, "the API finds it by the job, too"


@pytest.mark.parametrize(
    ("key", "expires", "signed", "secret", "now"),
    [
        (KEY.replace("acme", "beta"), str(EXPIRES), signature(), SECRET, NOW),
        (KEY, str(EXPIRES + 1), signature(), SECRET, NOW),
        (KEY, f"0{EXPIRES}", signature(), SECRET, NOW),
        (KEY, f" {EXPIRES}", signature(), SECRET, NOW),
        (KEY, "", signature(), SECRET, NOW),
        (KEY, str(EXPIRES), "", SECRET, NOW),
        (KEY, str(EXPIRES), signature().upper(), SECRET, NOW),
        (KEY, str(EXPIRES), "é" * 64, SECRET, NOW),
        (KEY, str(EXPIRES), signature(), b"t" * 32, NOW),
        (KEY, str(EXPIRES), signature(), SECRET, EXPIRES),
        (KEY, str(EXPIRES), signature(), SECRET, EXPIRES - LONGEST_SECONDS - CLOCK_SECONDS - 1),
    ],
)
def test_everything_else_is_refused(key: str, expires: str, signed: str, secret: bytes, now: float) -> None:
    assert verify(key, expires, signed, secret, now) is None


def test_key_and_end_cannot_be_shifted_into_each_other() -> None:
    """`1` and `2/x` must not sign as `12` and `/x`."""
    one = signature(link_to("", "2/x", 1, SECRET))
    assert one != signature(link_to("", "/x", 12, SECRET))

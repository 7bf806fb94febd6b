"""Which blocker a page shows: the rule with the highest sum, from the threshold on."""

import json

import pytest

from pageworker_sandbox.blockers.recognition import FoundBlocker, recognise
from pageworker_sandbox.blockers.rules import decode_rules, released_rules
from pageworker_sandbox.blockers.signs import PageSight

RULES = decode_rules(
    json.dumps(
        {
            "version": "7",
            "rules": [
                {
                    "kind": "captcha",
                    "provider": "first",
                    "signs": [
                        {"sign": "status", "any_of": [403], "weight": 0.5},
                        {"sign": "title", "any_of": ["human"], "weight": 0.6},
                        {"sign": "element", "selector": "article", "weight": -1.0},
                    ],
                },
                {
                    "kind": "challenge",
                    "provider": "second",
                    "signs": [
                        {"sign": "status", "any_of": [403], "weight": 0.5},
                        {"sign": "title", "any_of": ["human"], "weight": 0.6},
                        {"sign": "length", "below": 10, "weight": 0.5},
                    ],
                },
            ],
        }
    ).encode()
)
HUMAN = PageSight(status=403, title="Are you human?", text_length=100)


def test_the_evidence_names_what_was_found() -> None:
    assert recognise(RULES, HUMAN, 1.0) == FoundBlocker(
        kind="captcha",
        provider="first",
        evidence={"status": "403", "title": "human", "sum": "1.1", "rules": "7"},
    )


@pytest.mark.parametrize(
    ("sight", "threshold", "provider"),
    [
        (HUMAN, 1.1, "first"),
        (HUMAN, 1.11, None),
        (PageSight(status=403, title="Are you human?", text_length=9), 1.0, "second"),
        (PageSight(status=403, title="Human rights", text_length=9000, elements=frozenset({"article"})), 1.2, None),
        (PageSight(), 1.0, None),
    ],
)
def test_the_highest_sum_counts_from_the_threshold_on(sight: PageSight, threshold: float, provider: str | None) -> None:
    found = recognise(RULES, sight, threshold)
    assert (found.provider if found else None) == provider


@pytest.mark.parametrize("status", range(400, 1000))
def test_no_status_alone_is_a_blocker(status: int) -> None:
    bare = PageSight(status=status, text="x" * 900, text_length=9000)
    assert recognise(decode_rules(released_rules()), bare, 1.0) is None


@pytest.mark.parametrize(
    "innocent",
    [
        PageSight(
            status=200,
            title="Log in",
            text="User name Password Log in",
            text_length=30,
            elements=frozenset({"input[type=password]"}),
        ),
        PageSight(status=403, title="Forbidden", text="You may not read this folder.", text_length=29),
        PageSight(status=404, title="Not found", text="Nothing here.", text_length=13),
        PageSight(status=503, title="Maintenance", text="We are back at noon.", text_length=20),
        PageSight(status=200, title="Search", text="0 offers", text_length=8),
        PageSight(
            status=200,
            title="How captchas work",
            text="Some sites ask you to verify you are human. " * 50,
            text_length=2200,
            sources=("https://www.google.com/recaptcha/api.js",),
        ),
        PageSight(
            status=200,
            title="Contact",
            text="Write to us",
            text_length=400,
            sources=("https://www.google.com/recaptcha/api.js", "https://js.hcaptcha.com/1/api.js"),
        ),
        PageSight(
            status=200,
            title="Shop",
            text="Offers",
            text_length=5000,
            headers={"server": "cloudflare", "x-datadome": "protected", "x-iinfo": "1-2-3"},
            cookies=frozenset({"incap_ses_1_2", "datadome", "__cf_bm"}),
            sources=("https://shop.example/cdn-cgi/challenge-platform/scripts/jsd/main.js",),
        ),
    ],
    ids=lambda sight: sight.title,
)
def test_pages_that_block_no_one(innocent: PageSight) -> None:
    assert recognise(decode_rules(released_rules()), innocent, 1.0) is None

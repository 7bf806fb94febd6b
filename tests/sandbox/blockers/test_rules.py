"""A file of blocker rules is valid as a whole, or refused with the place of the mistake."""

import json
from typing import Any

import pytest

from pageworker_sandbox.blockers.rules import MAX_FILE_BYTES, BlockerRulesInvalid, decode_rules, released_rules

SIGN = {"sign": "status", "any_of": [403], "weight": 1.0}


def file(*signs: dict[str, Any], **rule: Any) -> bytes:
    return json.dumps(
        {"version": "1", "rules": [{"kind": "captcha", "provider": "p", "signs": list(signs or [SIGN]), **rule}]}
    ).encode()


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"{", "truncated"),
        (b"[]", "Expected `object`"),
        (file(kind="annoyance"), "$.rules[0].kind"),
        (file(more=1), "unknown field `more`"),
        (file({**SIGN, "sign": "smell"}), "smell"),
        (file({**SIGN, "weight": 3}), "weight"),
        (file({**SIGN, "any_of": [99]}), "any_of"),
        (file({"sign": "text", "any_of": [""], "weight": 1.0}), "any_of"),
        (file(signs=[]), "signs"),
        (file({**SIGN, "weight": 0.5}, {"sign": "length", "below": 9, "weight": -1}), "$.rules[0] (captcha, p)"),
        (b"{" + b" " * MAX_FILE_BYTES + b"}", f"at most {MAX_FILE_BYTES}"),
        (b"[" * 100_000, "blocker rules"),
    ],
)
def test_a_mistake_is_refused_with_its_place(data: bytes, told: str) -> None:
    with pytest.raises(BlockerRulesInvalid) as refused:
        decode_rules(data)
    assert told in str(refused.value)


def test_selectors_are_asked_for_once() -> None:
    captcha = {"sign": "element", "selector": "#captcha", "weight": 0.5}
    rules = decode_rules(file(captcha, captcha, {"sign": "element", "selector": "form", "weight": 0.5}))
    assert rules.selectors == ("#captcha", "form")


def test_the_rules_of_the_release_are_valid_and_name_every_kind() -> None:
    rules = decode_rules(released_rules())
    assert {rule.kind for rule in rules.rules} == {
        "captcha",
        "challenge",
        "access_denied",
        "rate_limited",
        "login_required",
        "geo_blocked",
    }

"""What is taken as a storage state of Playwright."""

import json
from typing import Any

import pytest

from pageworker_sandbox.wire.messages import MAX_CHECKPOINT_BYTES
from pageworker_supervisor.cli.output import CommandError
from pageworker_supervisor.cli.storage_state import parse_storage_state

COOKIE = {"name": "user", "value": "anna", "domain": "shop.test", "path": "/", "sameSite": "Lax", "expires": 2e9}
STATE = {
    "cookies": [COOKIE],
    "origins": [{"origin": "http://shop.test", "localStorage": [{"name": "a", "value": "b"}]}],
}


def test_a_state_keeps_all_that_it_holds() -> None:
    data, facts = parse_storage_state(json.dumps(STATE, indent=4).encode(), "s.json")
    assert json.loads(data) == STATE
    assert len(data) < len(json.dumps(STATE))
    assert (len(facts.cookies), len(facts.origins)) == (1, 1)


def test_cookies_alone_are_enough() -> None:
    data, _ = parse_storage_state(json.dumps({"cookies": [COOKIE]}).encode(), "s.json")
    assert json.loads(data) == {"cookies": [COOKIE], "origins": []}


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ([], "no storage state"),
        ({}, "cookies"),
        ({"cookies": [], "origins": []}, "neither cookies nor storage"),
        ({"cookies": [{"name": "a"}]}, "value"),
        ({"cookies": [COOKIE], "origins": [{}]}, "origin"),
        ({"cookies": [COOKIE], "origins": [], "more": "x" * MAX_CHECKPOINT_BYTES}, "at most"),
    ],
)
def test_what_is_refused_is_named(state: Any, why: str) -> None:
    with pytest.raises(CommandError, match=why) as refused:
        parse_storage_state(json.dumps(state).encode(), "s.json")
    assert "anna" not in str(refused.value)

"""A blocker in a report has a known kind and bounded texts."""

from typing import Any

import msgspec
import pytest

from pageworker_sandbox.wire.obstacle import MAX_BLOCKER_URL, Obstacle


def test_a_report_is_read() -> None:
    given = {"kind": "captcha", "provider": "p", "evidence": {"title": "human?"}, "url": "https://shop.example/"}
    assert msgspec.to_builtins(msgspec.convert(given, Obstacle)) == given


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "annoyance"},
        {"provider": "p" * 65},
        {"evidence": {"k" * 65: ""}},
        {"evidence": {"k": "v" * 513}},
        {"url": "u" * (MAX_BLOCKER_URL + 1)},
        {"more": 1},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_what_is_unknown_or_too_long_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"kind": "captcha", **wrong}, Obstacle)

"""Errors and return values into attempt results, without a browser."""

import msgspec
import pytest
from pw_doubles import any_typed

from pageworker import Blocked
from pageworker_runner.attempts import attempt_result


def test_an_endless_message_is_cut() -> None:
    end = attempt_result.raised(ValueError("x" * 10**6), "a@1")
    assert end.failure is not None
    assert len(end.failure.message) < 4096


def test_an_unknown_kind_of_blocker_is_the_modules_fault() -> None:
    untyped = any_typed("nonsense")
    end = attempt_result.raised(Blocked(untyped), "a@1")
    assert end.failure is not None
    assert end.failure.type == "handler_error"


@pytest.mark.parametrize(
    ("page_url", "url"),
    [
        ("https://shop.example/p/1?ref=2#top", "https://shop.example/p/1?ref=2#top"),
        ("http://kim:geheim@shop.example/p@1", "http://shop.example/p@1"),
        ("about:blank", None),
        (None, None),
        ("data:text/html," + "x" * 9999, ("data:text/html," + "x" * 9999)[:2048]),
    ],
)
def test_a_blocker_names_the_pages_address(page_url: str | None, url: str | None) -> None:
    end = attempt_result.raised(Blocked("captcha"), "a@1", page_url=page_url)
    assert end.obstacle is not None
    assert end.obstacle.url == url


def test_evidence_and_detail_are_bounded() -> None:
    end = attempt_result.raised(Blocked("captcha", "p" * 999, {str(n): "v" * 9999 for n in range(999)}), "a@1")
    assert end.obstacle is not None
    assert sum(map(len, end.obstacle.evidence.values())) <= 8000
    assert end.obstacle.provider == "p" * 64
    end = attempt_result.failed("x", "m", detail={"huge": "x" * 10**6})
    assert end.failure is not None
    assert len(end.failure.detail) < 200


@pytest.mark.parametrize("result", [{"a": {1, 2}}, {"a": object()}, {"a": 2**70}])
def test_results_that_json_cannot_hold_are_invalid(result: object) -> None:
    end = attempt_result.returned(result, "a@1")
    assert end.failure is None or end.failure.type == "result_invalid"
    if end.failure is None:
        assert isinstance(result, dict)
        assert isinstance(result["a"], set)


def test_a_detail_is_told_more_unless_that_is_too_much() -> None:
    def detail_after(before: object, value: object) -> object:
        result = attempt_result.failed("boom", "it broke", detail=before)
        failure = attempt_result.told_of(result, "more", value).failure
        assert failure is not None
        return msgspec.msgpack.decode(failure.detail)

    assert detail_after(None, 1) == {"more": 1}
    assert detail_after({"a": 1}, 2) == {"a": 1, "more": 2}
    assert detail_after([1], 2) == [1]
    assert detail_after({"a": 1}, "x" * attempt_result.MAX_DETAIL_BYTES) == {"a": 1}

"""What a handler raises to end its attempt."""

import pytest

from pageworker import Blocked, Failed, RetryLater
from pageworker.outcomes import MAX_DELAY_SECONDS


def test_the_text_of_a_blocker_names_its_kind_and_provider() -> None:
    assert str(Blocked("captcha", "shopguard")) == "captcha (shopguard)"
    assert str(Blocked("captcha")) == "captcha"


def test_evidence_is_a_copy() -> None:
    evidence: dict[str, object] = {"title": "Are you human?"}
    blocked = Blocked("captcha", None, evidence)
    evidence.clear()
    assert blocked.evidence == {"title": "Are you human?"}


def test_a_failure_is_not_retryable_by_default() -> None:
    failed = Failed("sold out")
    assert (failed.type, failed.retryable, failed.detail) == ("module_failure", False, None)


@pytest.mark.parametrize("message", [404, KeyError("price")])
def test_a_message_may_be_anything(message: object) -> None:
    assert Failed(message).message == str(message)  # type: ignore[arg-type]  # as modules do


@pytest.mark.parametrize("seconds", [0, 30, MAX_DELAY_SECONDS])
def test_a_delay_of_up_to_a_day_is_kept(seconds: float) -> None:
    later = RetryLater("busy", delay_seconds=seconds)
    assert (later.type, later.retryable, later.delay_seconds) == ("retry_later", True, seconds)
    assert later.detail == {"delay_seconds": seconds}


@pytest.mark.parametrize("seconds", [-1, MAX_DELAY_SECONDS + 1, float("inf"), float("nan")])
def test_any_other_delay_is_refused_by_name(seconds: float) -> None:
    with pytest.raises(ValueError, match=r"delay_seconds of RetryLater must be a number from 0 to 86400"):
        RetryLater("busy", delay_seconds=seconds)


def test_without_a_delay_the_usual_backoff_decides() -> None:
    assert (RetryLater().delay_seconds, RetryLater().detail) == (None, None)

"""What follows from an answer, and from no answer."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_supervisor.delivery.callback_policy import (
    CAP_SECONDS,
    QUICK_TRIES,
    RETRY_AFTER_CAP_SECONDS,
    Answered,
    Delivered,
    DeliveryTrouble,
    EntryAge,
    GiveUp,
    ReceiverUnreachable,
    RetryLaterAt,
    backoff_seconds,
    decide,
)

NOW = 1_900_000_000.0
RUNNING = b'{"code":409,"message":"The execution \\"7\\" is running already."}'
FINISHED = b'{"code":409,"message":"The execution \\"7\\" has finished already."}'


def age(tries: int = 0, seconds: float = 0.0, max_seconds: float = 86_400.0) -> EntryAge:
    return EntryAge(tries, seconds, max_seconds, NOW)


def half() -> float:
    return 0.5


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_success_is_delivered(status: int) -> None:
    assert decide(Answered(status), age(), half) == Delivered()


@pytest.mark.parametrize(
    "answer",
    [
        Answered(200, b"n8n is starting up. Please wait"),
        Answered(404, b"<!DOCTYPE html>\n<html>\n<pre>Cannot POST /webhook-waiting/7</pre>\n</html>"),
        Answered(404, b"<pre>Cannot POST /webhook/pageworker-many</pre>"),
    ],
)
def test_an_n8n_that_starts_has_not_taken_the_result(answer: Answered) -> None:
    decision = decide(answer, age(), half)
    assert decision == RetryLaterAt(0.25, f"HTTP {answer.status}, n8n is starting up")
    assert isinstance(decide(answer, age(seconds=86_400.0), half), GiveUp)


@pytest.mark.parametrize(
    ("answer", "decision"),
    [
        (Answered(404, b'{"code":404,"message":"The execution \\"7\\" does not exist."}'), GiveUp("HTTP 404")),
        (Answered(404, b"<pre>Cannot POST /hooks/7</pre>"), GiveUp("HTTP 404")),
        (Answered(404, b"n8n is starting up"), GiveUp("HTTP 404")),
        (Answered(200, b"Cannot POST /webhook"), Delivered()),
        (Answered(204, b""), Delivered()),
    ],
)
def test_similar_answers_mean_what_their_status_says(answer: Answered, decision: Delivered | GiveUp) -> None:
    assert decide(answer, age(), half) == decision


@pytest.mark.parametrize("status", [500, 501, 502, 503, 504, 599, 408, 425, 429])
def test_what_may_pass_is_tried_again(status: int) -> None:
    assert decide(Answered(status), age(), half) == RetryLaterAt(0.25, f"HTTP {status}")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 410, 413, 418, 422, 451])
def test_any_other_refusal_is_final(status: int) -> None:
    assert decide(Answered(status), age(), half) == GiveUp(f"HTTP {status}")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 304])
def test_a_redirect_is_final(status: int) -> None:
    decision = decide(Answered(status), age(), half)
    assert isinstance(decision, GiveUp)
    assert "redirects are not followed" in decision.reason


@pytest.mark.parametrize("trouble", [one for one in DeliveryTrouble if one is not DeliveryTrouble.URL])
def test_no_answer_is_tried_again(trouble: DeliveryTrouble) -> None:
    assert decide(ReceiverUnreachable(trouble), age(2, 60.0), half) == RetryLaterAt(1.0, trouble.value)


def test_a_url_that_cannot_be_called_is_final() -> None:
    assert isinstance(decide(ReceiverUnreachable(DeliveryTrouble.URL), age(), half), GiveUp)


def test_n8n_that_has_not_stored_its_execution_is_asked_again_within_a_tenth_of_a_second() -> None:
    for tries in range(QUICK_TRIES):
        decision = decide(Answered(409, RUNNING), age(tries), random.random)
        assert isinstance(decision, RetryLaterAt)
        assert 0.05 <= decision.delay_seconds <= 0.1


def test_n8n_that_stays_busy_is_asked_more_and_more_slowly() -> None:
    decision = decide(Answered(409, RUNNING), age(QUICK_TRIES + 6), half)
    assert decision == RetryLaterAt(16.0, "HTTP 409, its execution is running already")


def test_n8n_that_has_finished_is_final() -> None:
    assert decide(Answered(409, FINISHED), age(), half) == GiveUp("HTTP 409")


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.25),
        ("99999999", RETRY_AFTER_CAP_SECONDS),
        ("1e9", 0.25),
        ("-5", 0.25),
        ("soon", 0.25),
        ("", 0.25),
        ("9" * 400, 0.25),
        ("Sun, 17 Mar 2030 17:46:50 GMT", 10.0),
        ("Sun, 17 Mar 2019 17:46:50 GMT", 0.25),
        ("Sun, 99 Mar 9999 17:46:50 GMT", 0.25),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured_within_bounds(status: int, retry_after: str, seconds: float) -> None:
    assert decide(Answered(status, b"", retry_after), age(), half) == RetryLaterAt(seconds, f"HTTP {status}")


def test_too_old_is_final_and_says_how_often_it_was_tried() -> None:
    assert decide(Answered(500), age(9, 95.0, 100.0), half) == GiveUp("HTTP 500; given up after 10 tries in 95 s")
    assert isinstance(decide(Answered(200), age(9, 1e9, 100.0), half), Delivered)


def test_quick_tries_do_not_push_the_next_one_minutes_away() -> None:
    """n8n was busy for three seconds, then its proxy answers 502 once."""
    for outcome in (Answered(502), ReceiverUnreachable(DeliveryTrouble.REFUSED)):
        decision = decide(outcome, age(40, 3.0), lambda: 0.999)
        assert isinstance(decision, RetryLaterAt)
        assert decision.delay_seconds <= 6.5


@given(st.integers(0, 10_000), st.floats(0, 0.999999))
def test_backoff_is_bounded_and_jittered_over_its_whole_window(tries: int, jitter: float) -> None:
    seconds = backoff_seconds(tries, lambda: jitter)
    assert 0.05 <= seconds <= CAP_SECONDS
    if tries >= 10:
        assert seconds == max(0.05, CAP_SECONDS * jitter)


@given(
    st.integers(100, 599),
    st.binary(max_size=60),
    st.none() | st.text(max_size=40),
    st.integers(0, 200),
    st.floats(0, 1e6),
)
def test_no_try_later_than_allowed_whatever_the_receiver_says(
    status: int, body: bytes, retry_after: str | None, tries: int, seconds: float
) -> None:
    decision = decide(Answered(status, body, retry_after), age(tries, seconds, 3600.0), random.random)
    if isinstance(decision, RetryLaterAt):
        assert seconds + decision.delay_seconds <= 3600.0
        assert decision.delay_seconds > 0

"""The circuit breaker of a browser context: every pair of state and event, and what holds whatever happens."""

from hypothesis import given
from hypothesis import strategies as st
from pw_states import StatePair, check, every_pair

from pageworker_supervisor.runners.context_breaker import (
    FIRST_PAUSE_SECONDS,
    LONGEST_PAUSE_SECONDS,
    THRESHOLD,
    TRANSITIONS,
    ContextBreaker,
    ContextBreakerEvent,
    ContextBreakerState,
)

GRID = """
             came_up  failed       failed_at_threshold
closed       closed   backing_off  open
backing_off  closed   backing_off  open
open         closed   -            open
"""


@every_pair(GRID, ContextBreakerState, ContextBreakerEvent)
def test_every_pair(pair: StatePair) -> None:
    check(TRANSITIONS, pair)


def failed(times: int, at: float = 100.0) -> tuple[ContextBreaker, float]:
    """A breaker after this many failures, each as soon as it may be, and when the last one was."""
    breaker = ContextBreaker()
    for _ in range(times):
        at = max(at, breaker.backoff.until)
        assert breaker.permits(at)
        breaker.failed(at)
    return breaker, at


def test_a_few_failures_make_it_wait_and_do_not_open_it() -> None:
    breaker, at = failed(THRESHOLD - 1)
    assert breaker.state is ContextBreakerState.BACKING_OFF
    assert not breaker.refuses()
    assert not breaker.permits(at)
    assert breaker.permits(breaker.backoff.until)


def test_too_many_open_it() -> None:
    breaker, at = failed(THRESHOLD)
    assert breaker.refuses()
    assert not breaker.permits(at)


def test_one_that_would_fail_again_for_certain_opens_it_at_once() -> None:
    breaker = ContextBreaker()
    breaker.failed(0.0, certain=True)
    assert breaker.refuses()


def test_what_does_not_count_never_opens_it() -> None:
    """A profile that another process has locked is waited for, however long."""
    breaker = ContextBreaker()
    for number in range(5 * THRESHOLD):
        breaker.failed(100.0 * number, counts=False)
        assert breaker.state is ContextBreakerState.BACKING_OFF


def test_each_pause_is_twice_the_one_before_up_to_a_limit() -> None:
    breaker, at = failed(1)
    pauses = []
    for _ in range(10):
        pauses.append(breaker.backoff.until - at)
        at = breaker.backoff.until
        breaker.failed(at)
    assert pauses[:3] == [FIRST_PAUSE_SECONDS, 2 * FIRST_PAUSE_SECONDS, 4 * FIRST_PAUSE_SECONDS]
    assert pauses[-1] == LONGEST_PAUSE_SECONDS


def test_failures_of_one_moment_make_one_pause() -> None:
    breaker = ContextBreaker()
    breaker.failed(10.0)
    breaker.failed(10.1)
    assert breaker.backoff.until == 10.0 + FIRST_PAUSE_SECONDS


def test_after_the_pause_one_start_at_a_time_tries() -> None:
    breaker, _ = failed(THRESHOLD)
    at = breaker.backoff.until
    assert breaker.begin(), "a probe"
    assert not breaker.permits(at)
    breaker.decided()
    assert breaker.permits(at), "one that ended without an answer may be repeated"


def test_nothing_starts_while_it_is_not_known_why_one_failed() -> None:
    breaker = ContextBreaker()
    assert not breaker.begin(), "no probe: nothing failed before"
    breaker.suspect()
    assert not breaker.permits(0.0)
    breaker.decided()
    assert breaker.permits(0.0)


def test_one_good_start_forgives_all() -> None:
    breaker, at = failed(THRESHOLD + 3)
    breaker.came_up()
    assert breaker.permits(at)
    assert breaker == ContextBreaker()


# Eighths of a second, which floats hold exactly: what is tested is the breaker, not their rounding.
pauses = st.integers(0, 1600).map(lambda eighths: eighths / 8)
steps = st.lists(st.tuples(st.sampled_from(["up", "failed", "certain", "busy"]), pauses), max_size=40)


@given(steps)
def test_whatever_happens_it_never_permits_within_a_pause_and_always_lets_try_again(
    happened: list[tuple[str, float]],
) -> None:
    breaker, now, in_a_row = ContextBreaker(), 0.0, 0
    for what, later in happened:
        now += later
        match what:
            case "up":
                breaker.came_up()
                in_a_row = 0
            case "busy":
                breaker.failed(now, counts=False)
            case _:
                breaker.failed(now, certain=what == "certain")
                in_a_row = in_a_row + 1 if what == "failed" else max(in_a_row + 1, THRESHOLD)
        assert breaker.refuses() == (in_a_row >= THRESHOLD)
        assert 0.0 <= breaker.backoff.remaining_seconds(now) <= LONGEST_PAUSE_SECONDS
        assert breaker.permits(now) == (breaker.backoff.remaining_seconds(now) == 0.0)
        assert breaker.permits(now + LONGEST_PAUSE_SECONDS)

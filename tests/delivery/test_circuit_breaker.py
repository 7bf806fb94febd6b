"""The circuit breaker of a receiver: every pair of state and event, and what a receiver sees of it."""

import pytest
from pw_states import StatePair, check, every_pair

from pageworker_supervisor.delivery.callback_policy import (
    Answered,
    DeliveryOutcome,
    DeliveryTrouble,
    ReceiverUnreachable,
)
from pageworker_supervisor.delivery.circuit_breaker import (
    FIRST_PAUSE_SECONDS,
    LONGEST_PAUSE_SECONDS,
    THRESHOLD,
    TRANSITIONS,
    CircuitBreaker,
    CircuitEvent,
    CircuitState,
)

DEAD = ReceiverUnreachable(DeliveryTrouble.REFUSED)


GRID = """
         success  failure  failure_at_threshold  pause_over
closed   closed   closed   open                  -
open     closed   -        open                  probing
probing  closed   -        open                  -
"""


@every_pair(GRID, CircuitState, CircuitEvent)
def test_every_pair(pair: StatePair) -> None:
    check(TRANSITIONS, pair)


def opened() -> CircuitBreaker:
    breaker = CircuitBreaker()
    for _ in range(THRESHOLD):
        breaker.record(DEAD, 100.0)
    return breaker


def test_it_opens_after_failures_in_a_row_only() -> None:
    breaker = CircuitBreaker()
    for _ in range(3):
        for _ in range(THRESHOLD - 1):
            breaker.record(DEAD, 0.0)
        assert breaker.permits(0.0, 10)
        breaker.record(Answered(200), 0.0)
    assert breaker.state is CircuitState.CLOSED
    assert opened().state is CircuitState.OPEN


@pytest.mark.parametrize("outcome", [Answered(500), Answered(404), Answered(409), Answered(429)])
def test_a_host_that_answers_is_well_whatever_it_says(outcome: DeliveryOutcome) -> None:
    breaker = CircuitBreaker()
    for _ in range(10 * THRESHOLD):
        breaker.record(outcome, 0.0)
    assert breaker.state is CircuitState.CLOSED


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_gateway_without_a_receiver_is_ill(status: int) -> None:
    breaker = CircuitBreaker()
    for _ in range(THRESHOLD):
        breaker.record(Answered(status), 0.0)
    assert breaker.state is CircuitState.OPEN


def test_after_the_pause_one_try_at_a_time_decides() -> None:
    breaker = opened()
    assert not breaker.permits(100.0 + FIRST_PAUSE_SECONDS - 0.01, 0)
    assert breaker.permits(100.0 + FIRST_PAUSE_SECONDS, 0)
    assert not breaker.permits(100.0 + FIRST_PAUSE_SECONDS, 1)
    breaker.record(Answered(200), 103.0)
    assert breaker == CircuitBreaker()


def test_each_failed_probe_doubles_the_pause_up_to_a_limit() -> None:
    breaker = opened()
    pauses = []
    now = breaker.backoff.until
    for _ in range(10):
        assert breaker.permits(now, 0)
        breaker.record(DEAD, now)
        pauses.append(breaker.backoff.until - now)
        now = breaker.backoff.until
    assert pauses[:3] == [2 * FIRST_PAUSE_SECONDS, 4 * FIRST_PAUSE_SECONDS, 8 * FIRST_PAUSE_SECONDS]
    assert pauses[-1] == LONGEST_PAUSE_SECONDS


def test_tries_that_end_after_it_opened_do_not_lengthen_the_pause() -> None:
    breaker = opened()
    until = breaker.backoff.until
    breaker.record(DEAD, 101.0)
    assert breaker.backoff.until == until

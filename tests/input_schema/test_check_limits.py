"""The limits of the two kinds of checkers."""

import signal

from pageworker_supervisor.input_schema.check_limits import APART, SHARED, TIMER_SIGNAL


def test_what_exceeds_the_shared_limits_gets_wider_ones() -> None:
    assert SHARED.seconds < APART.seconds
    assert SHARED.kept_bytes < APART.kept_bytes
    assert SHARED.memory_bytes <= APART.memory_bytes


def test_the_signal_of_the_timer_ends_a_process() -> None:
    assert signal.getsignal(TIMER_SIGNAL) is signal.SIG_DFL

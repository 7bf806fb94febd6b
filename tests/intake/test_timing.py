"""The default intervals fit each other and the client's time limits."""

from pageworker_supervisor.intake.timing import IntakeTimeouts
from pageworker_supervisor.redis_client.clients import BLOCKING_SECONDS, LONGEST_BLOCK_SECONDS

DEFAULTS = IntakeTimeouts()


def test_a_blocked_read_ends_before_its_socket_times_out() -> None:
    assert DEFAULTS.block_seconds < LONGEST_BLOCK_SECONDS < BLOCKING_SECONDS


def test_a_worker_misses_several_heartbeats_before_it_counts_as_dead() -> None:
    """A heartbeat comes after a blocked read at the latest."""
    assert 2 * (DEFAULTS.upkeep_seconds + DEFAULTS.block_seconds) < DEFAULTS.silent_seconds


def test_a_consumer_is_forgotten_long_after_its_entries_were_adopted() -> None:
    assert DEFAULTS.forget_seconds > 10 * DEFAULTS.silent_seconds

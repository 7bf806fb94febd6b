"""The clocks of a host and of Redis, compared."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_supervisor.self_checks.clocks import JUMP_SECONDS, ClockReading, jumps

START = 1_700_000_000.0
SECONDS = st.floats(-1e5, 1e5)


def reading(passed: float = 0.0, worker: float = 0.0, redis: float = 0.0, took: float = 0.01) -> ClockReading:
    """A look after `passed` seconds, at clocks that are `worker` and `redis` seconds ahead."""
    before = START + passed + worker
    return ClockReading(before, before + took, passed, (START + passed + redis,))


@given(passed=st.floats(0, 1e5), set_by=SECONDS)
def test_a_clock_that_is_set_jumps_and_no_other_does(passed: float, set_by: float) -> None:
    jumped = abs(set_by) > JUMP_SECONDS + 0.1
    still = abs(set_by) < JUMP_SECONDS - 0.1
    for clock in ("worker", "redis"):
        found = jumps(reading(), reading(passed, **{clock: set_by}))
        if jumped:
            assert found == {clock: pytest.approx(set_by, abs=0.01)}
        elif still:
            assert found == {}


def test_a_slow_answer_is_no_jump_of_redis() -> None:
    assert jumps(reading(), reading(10, redis=3, took=4)) == {}
    assert jumps(reading(), reading(10, redis=3, took=0.1)) == {"redis": pytest.approx(3)}


def test_another_number_of_primaries_is_no_jump() -> None:
    later = reading(10)
    assert jumps(reading(), ClockReading(later.before, later.after, later.boot, (0.0, 0.0))) == {}


@pytest.mark.parametrize(("redis", "apart"), [(0.0, 0.0), (0.5, 0.0), (1.0, 0.0), (7.0, 6.0), (-7.0, 7.0)])
def test_a_clock_within_the_call_is_not_apart(redis: float, apart: float) -> None:
    assert ClockReading(100.0, 101.0, 0.0, (100.0 + redis,)).apart_seconds == apart
    assert ClockReading(100.0, 101.0, 0.0, (100.0, 100.0 + redis)).apart_seconds == apart

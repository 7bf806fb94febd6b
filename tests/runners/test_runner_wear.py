"""When a runner is replaced by its age, or by memory that grows while it is idle."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pw_doubles import any_typed

from pageworker_sandbox.launch.cgroup import LimitHits
from pageworker_supervisor.config.settings import SandboxSettings
from pageworker_supervisor.runners.resources import RunnerFolder
from pageworker_supervisor.runners.runner_wear import (
    FEWEST_MEASURES,
    GROWTH_SHARE,
    MEASURES,
    WORN_SHARE,
    IdleMemory,
    wear,
)
from pageworker_supervisor.runners.watchdog import EnforcedLimits

LIMIT = 1000
HIGH = int(WORN_SHARE * LIMIT) + 1


def measured(*used_bytes: int) -> IdleMemory:
    """Idle measurements, ten seconds apart."""
    memory = IdleMemory()
    for number, used in enumerate(used_bytes):
        memory.add(10.0 * number, used)
    return memory


@pytest.mark.parametrize(("age", "why"), [(99.0, None), (100.0, "age"), (1000.0, "age")])
def test_a_runner_is_replaced_at_its_age(age: float, why: str | None) -> None:
    assert wear(age, 100.0, IdleMemory(), LIMIT) == why


@pytest.mark.parametrize(
    ("used", "worn"),
    [
        ([100 * n for n in range(1, FEWEST_MEASURES)], False),
        ([HIGH + 10 * n for n in range(FEWEST_MEASURES)], True),
        ([HIGH] * MEASURES, False),
        ([900 - 10 * n for n in range(MEASURES)], False),
        ([10 * n for n in range(MEASURES)], False),
        ([HIGH, HIGH + 1] * FEWEST_MEASURES, False),
    ],
    ids=["too few", "grows", "is large", "shrinks", "is small", "varies"],
)
def test_memory_counts_only_if_it_is_large_and_grows(used: list[int], worn: bool) -> None:
    assert measured(*used).worn(LIMIT) == worn
    assert (wear(0.0, 1.0, measured(*used), LIMIT) == "memory") == worn


def test_measurements_at_one_moment_make_no_line() -> None:
    memory = IdleMemory()
    for used in range(FEWEST_MEASURES):
        memory.add(1.0, used)
    assert memory.growth_bytes() == 0.0


@given(st.integers(0, 10**9), st.integers(-(10**6), 10**6), st.integers(FEWEST_MEASURES, MEASURES))
def test_the_growth_of_a_straight_line_is_its_own(first: int, step: int, count: int) -> None:
    memory = measured(*(first + step * n for n in range(count)))
    assert memory.growth_bytes() == pytest.approx(step * (count - 1), abs=1e-3)


@given(st.lists(st.integers(0, LIMIT), max_size=40))
def test_only_the_last_measurements_count(used: list[int]) -> None:
    assert measured(*used).worn(LIMIT) == measured(*used[-MEASURES:]).worn(LIMIT)
    assert GROWTH_SHARE > 0


class MeasuredProcess:
    """A process that uses more memory each time."""

    def __init__(self) -> None:
        self.used = 0

    async def tmpfs_use(self) -> list[object]:
        return []

    async def processes(self) -> int:
        return 1

    async def memory_bytes(self, _: int) -> int:
        self.used += 1
        return self.used

    async def cpu_seconds(self) -> float:
        return 0.0

    def limit_hits(self) -> LimitHits:
        return LimitHits()


async def test_only_an_idle_runner_is_measured_for_its_wear() -> None:
    limits, process = EnforcedLimits(SandboxSettings()), any_typed(MeasuredProcess())
    folder = RunnerFolder(None, None, any_typed(None))
    for busy in (True, False, True, False):
        assert await limits.breach(process, folder, 0, busy=busy, costly=True) is None
    assert [used for _, used in limits.idle_memory._measures] == [2, 4]
    assert limits.memory_bytes == 4

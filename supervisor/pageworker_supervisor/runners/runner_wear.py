"""When a runner has served long enough, though it still works: by its age, and by memory that grows. Pure.

The age of a runner is that of its Playwright driver and of its browser: all of them start and end together. Memory
counts only while no job runs: what a job uses is no wear.
"""

from collections import deque
from typing import Literal

Wear = Literal["age", "memory"]

MEASURES = 12
"""Idle measurements that the line goes through: the last ones."""
FEWEST_MEASURES = 6
WORN_SHARE = 0.5
"""Share of `sandbox.memory_bytes` that an idle runner may use while its memory grows."""
GROWTH_SHARE = 0.02
"""Growth over the measured time, as a share of `sandbox.memory_bytes`, from which on memory counts as growing."""


class IdleMemory:
    """What one runner used while it was idle, over time."""

    def __init__(self) -> None:
        self._measures: deque[tuple[float, int]] = deque(maxlen=MEASURES)

    def add(self, now: float, used_bytes: int) -> None:
        """A measurement, with no page taken. `now`: monotonic seconds."""
        self._measures.append((now, used_bytes))

    def growth_bytes(self) -> float:
        """How much the line of least squares through the measurements rises from the first to the last; 0 for too few
        of them."""
        count = len(self._measures)
        if count < FEWEST_MEASURES:
            return 0.0
        middle = sum(now for now, _ in self._measures) / count
        mean = sum(used for _, used in self._measures) / count
        spread = sum((now - middle) ** 2 for now, _ in self._measures)
        if spread == 0.0:
            return 0.0
        slope = sum((now - middle) * (used - mean) for now, used in self._measures) / spread
        return slope * (self._measures[-1][0] - self._measures[0][0])

    def worn(self, limit_bytes: int) -> bool:
        """Whether the runner's memory grows, and is above its share of the limit."""
        if not self._measures or self._measures[-1][1] <= WORN_SHARE * limit_bytes:
            return False
        return self.growth_bytes() >= GROWTH_SHARE * limit_bytes


def wear(age_seconds: float, max_age_seconds: float, memory: IdleMemory, limit_bytes: int) -> Wear | None:
    """Why a runner should be replaced once its jobs have ended; None: it need not."""
    if age_seconds >= max_age_seconds:
        return "age"
    return "memory" if memory.worn(limit_bytes) else None

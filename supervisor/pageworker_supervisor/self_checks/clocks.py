"""Compares the clocks of this host and of Redis. Pure.

A clock jumps if it moves by another time than the boot clock, which cannot be set and counts while the host is
suspended (clock_gettime(2), CLOCK_BOOTTIME).
"""

from msgspec import Struct

APART_SECONDS = 5.0
"""Largest accepted difference. Leases use Redis' clock only; log lines and signed callbacks use the worker's."""
JUMP_SECONDS = 2.0
"""Above what time daemons correct by slewing between two readings."""


class ClockReading(Struct, frozen=True):
    """One look at all clocks. `redis` holds seconds since the epoch, one per primary."""

    before: float
    """Seconds since the epoch on this host's clock, before Redis was asked."""
    after: float
    boot: float
    """Seconds on the boot clock, before Redis was asked."""
    redis: tuple[float, ...]

    @property
    def apart_seconds(self) -> float:
        """The largest difference between this host and a primary. Each read its clock between `before` and `after`."""
        return max((max(self.before - theirs, theirs - self.after, 0.0) for theirs in self.redis), default=0.0)


def jumps(earlier: ClockReading, later: ClockReading) -> dict[str, float]:
    """Seconds by which a clock jumped between two readings, forwards if positive: `worker`, `redis`."""
    passed = later.boot - earlier.boot
    found = {"worker": later.before - earlier.before - passed}
    if len(earlier.redis) == len(later.redis):
        moved = [new - old - passed for old, new in zip(earlier.redis, later.redis, strict=True)]
        found["redis"] = max(moved, key=abs, default=0.0)
    # A slow answer delays the reading of Redis' clock, but no other.
    slack = {"redis": max(earlier.after - earlier.before, later.after - later.before, 0.0)}
    return {clock: by for clock, by in found.items() if abs(by) > JUMP_SECONDS + slack.get(clock, 0.0)}

"""Notices that the clock of this host was set back.

An index, a key and a version expire by this clock. Who sets it back could keep a worker on an expired index, or on a
key that has ended.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from pageworker_sandbox.signing.instant import instant_text
from pageworker_supervisor.registry.errors import ClockSetBack

TOLERATED = timedelta(hours=1)
"""Clocks are corrected by a little, now and then."""
STORE_EVERY = timedelta(hours=1)


class ClockGuard:
    """The time of a clock that may not go back.

    Only times at which a refresh succeeded count. A clock that was far in the future for a while let none succeed,
    because the index had expired.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._latest: datetime | None = None
        self._stored: datetime | None = None

    def restore(self, latest: datetime | None) -> None:
        """Go on from the stored time."""
        self._latest = self._stored = latest

    def now(self) -> datetime:
        """The time. A clock that is behind by less than TOLERATED stands still. Raises ClockSetBack."""
        now = self._clock()
        if self._latest is None or now >= self._latest:
            return now
        if now < self._latest - TOLERATED:
            before = instant_text(self._latest)
            raise ClockSetBack(f"the clock of this worker's host is at {instant_text(now)}, and was at {before} before")
        return self._latest

    def observe(self) -> bool:
        """Everything was valid now. True if the time is to be stored. Raises ClockSetBack."""
        self._latest = self.now()
        if self._stored is not None and self._latest < self._stored + STORE_EVERY:
            return False
        self._stored = self._latest
        return True

"""Pauses after failures in a row. Pure: times are passed in."""

from dataclasses import dataclass

MOST_DOUBLINGS = 16
"""More doublings than any longest pause needs. Without a bound the power would overflow after many of them."""


@dataclass
class Backoff:
    """Each pause is twice as long as the one before, up to a limit. Seconds, on any clock that does not go back."""

    first_seconds: float
    longest_seconds: float
    pauses: int = 0
    """In a row."""
    until: float = 0.0
    """When the last pause is over."""

    def pause(self, now: float) -> None:
        """It failed: a pause begins."""
        self.until = now + min(self.longest_seconds, self.first_seconds * 2.0 ** min(self.pauses, MOST_DOUBLINGS))
        self.pauses += 1

    def reset(self) -> None:
        """It succeeded: the next pause is the first one."""
        self.pauses, self.until = 0, 0.0

    def remaining_seconds(self, now: float) -> float:
        """How long the pause still takes; 0 if there is none."""
        return max(0.0, self.until - now)

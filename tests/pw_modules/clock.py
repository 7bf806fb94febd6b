"""A clock that a test sets."""

from datetime import UTC, datetime, timedelta


class Clock:
    """Returns the time that it is set to."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_days(self, days: float) -> None:
        """Go forward."""
        self.now += timedelta(days=days)

"""Time that is set by hand."""

from datetime import UTC, datetime, timedelta


class Clock:
    """Says what it is set to."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_days(self, days: float) -> None:
        """Later."""
        self.now += timedelta(days=days)

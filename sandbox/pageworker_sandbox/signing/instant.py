"""Instants as text."""

from datetime import UTC, datetime


def instant_text(moment: datetime) -> str:
    """RFC 3339 in UTC, whole seconds: `2027-01-01T00:00:00Z`. Raises OverflowError before year 1 and after 9999."""
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"

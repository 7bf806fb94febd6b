"""The hours of a tenant's usage as a table, for people and as comma-separated values. Pure."""

import csv
import io
from collections.abc import Iterable

from pageworker_supervisor.contract.utc_time import utc_text
from pageworker_supervisor.queue.usage import OUTCOMES, UsageHour

USED = ("page_seconds", "requests", "bytes_in", "bytes_out")
COLUMNS = ("hour", *USED, *OUTCOMES)


def usage_columns(row: UsageHour) -> tuple[object, ...]:
    """The values of `COLUMNS`. The hour is its start as RFC 3339, in UTC."""
    used = [getattr(row, name) for name in USED]
    return (utc_text(row.hour, "%Y-%m-%dT%H:%M:%SZ"), *used, *(row.jobs.get(name, 0) for name in OUTCOMES))


def usage_csv(rows: Iterable[UsageHour], line_end: str) -> str:
    """A line of names, then a line per hour, with the tenant before `COLUMNS`. With "\r\n" it is RFC 4180."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=line_end)
    writer.writerow(("tenant_id", *COLUMNS))
    writer.writerows((row.tenant_id, *usage_columns(row)) for row in rows)
    return text.getvalue()

"""The part `budget` of `[tenants.NAME]`: how much the jobs of a tenant may use per day and per month."""

from collections.abc import Iterator
from typing import Annotated

import msgspec
from msgspec import Meta

from pageworker_supervisor.config.section import Section

Bound = Annotated[int, Meta(ge=1, le=10**15)]


class TenantBudget(Section, frozen=True):
    """How much the jobs of a tenant may use. A tenant that has used up a part of its budget is paused until the day or
    the month ends (UTC, on Redis' clock). Its jobs wait, those that run go on ([tenants](tenants.md#budgets)). The
    event `budget` tells at 80 % and at 100 %. Default: no limit."""

    page_seconds_per_day: Bound | None = None
    """Seconds that its jobs have a page."""
    page_seconds_per_month: Bound | None = None
    """The same of a month."""
    jobs_per_day: Bound | None = None
    """Jobs that end, with whatever status. Jobs that intake rejects do not count."""
    jobs_per_month: Bound | None = None
    """The same of a month."""
    bytes_per_day: Bound | None = None
    """Bytes that its jobs send and receive."""
    bytes_per_month: Bound | None = None
    """The same of a month."""

    def parts(self) -> Iterator[tuple[str, int]]:
        """What it limits: name and limit."""
        for field in msgspec.structs.fields(self):
            if (limit := getattr(self, field.name)) is not None:
                yield field.name, limit

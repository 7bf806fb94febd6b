"""Which jobs a command means: filters by tenant, module, state, time, blocker and text. Pure."""

import datetime as dt
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated, Literal, get_args

from cyclopts import Parameter

from pageworker_supervisor.cli.answers import JobRow
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.contract.result import BlockerKind, Status
from pageworker_supervisor.queue.views import ListedState

RowState = Literal["queued", "delayed", "running", "storing", "ending", "finishing", "ended"]
ENDED = "ended"
WITHOUT_RESULT: tuple[ListedState, ...] = get_args(ListedState)

_DURATION = re.compile(r"^(\d{1,9}(?:\.\d{1,3})?)(s|m|h|d)\Z")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class TimeInvalid(ValueError):
    """The text is no duration and no instant. The message says how to write one."""


def instant_of(untrusted_text: str, now: dt.datetime) -> dt.datetime:
    """`10m` is ten minutes before `now`; else an RFC 3339 instant with an offset. Raises TimeInvalid."""
    if match := _DURATION.match(untrusted_text):
        try:
            return now - dt.timedelta(seconds=float(match[1]) * _SECONDS[match[2]])
        except OverflowError:
            raise TimeInvalid(f"`{untrusted_text}` is before the year 1") from None
    try:
        instant = dt.datetime.fromisoformat(untrusted_text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise TimeInvalid(f"`{untrusted_text}` is no time: write 30s, 10m, 2h, 7d, or e.g. 2026-11-27T09:00:00Z")
    return instant


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class JobFilter:
    """Which jobs a command means. All given options must hold."""

    tenant: str | None = None
    """Only jobs of this tenant."""
    module: str | None = None
    """Only jobs whose module has this name, without its version. `*`, `?` and `[…]` are wildcards."""
    state: Annotated[tuple[RowState, ...], Parameter(negative=(), show_default=False, consume_multiple=False)] = ()
    """Only jobs in this state. Repeat the option for more states."""
    status: Annotated[tuple[Status, ...], Parameter(negative=(), show_default=False, consume_multiple=False)] = ()
    """Only ended jobs whose result has this status. Repeat the option for more."""
    blocker: Annotated[tuple[BlockerKind, ...], Parameter(negative=(), show_default=False, consume_multiple=False)] = ()
    """Only ended jobs that were blocked by this. Repeat the option for more."""
    since: str | None = None
    """Only jobs first pushed, or ended, since then: a duration such as 10m before now, or an RFC 3339 instant."""
    until: str | None = None
    """Only jobs first pushed, or ended, before then: a text as for --since."""
    text: str | None = None
    """Only jobs whose id contains this text."""
    batch: str | None = None
    """Only jobs of this batch, TENANT/BATCH."""

    @property
    def given(self) -> bool:
        """Whether any filter is given."""
        return self != JobFilter()

    def states(self, *, all_states: bool = False) -> frozenset[str]:
        """The states to read. Without a filter of states: those without a result, unless all are wanted."""
        if self.status or self.blocker:
            return frozenset({ENDED})
        if self.state:
            return frozenset(self.state)
        return frozenset({*WITHOUT_RESULT, ENDED} if all_states else WITHOUT_RESULT)

    def bounds(self, now: dt.datetime) -> tuple[float, float]:
        """The oldest and the newest age in seconds that are meant. Raises TimeInvalid."""
        oldest = (now - instant_of(self.since, now)).total_seconds() if self.since else float("inf")
        newest = (now - instant_of(self.until, now)).total_seconds() if self.until else float("-inf")
        return oldest, newest

    def holds(self, row: JobRow, bounds: tuple[float, float], members: frozenset[JobRef] | None = None) -> bool:
        """Whether the job is meant. States are for the reader: it reads only those. `members`: the jobs of the batch;
        None: without one."""
        oldest, newest = bounds
        return (
            (self.tenant is None or row.tenant_id == self.tenant)
            and (self.module is None or fnmatchcase(bare(row.module), self.module))
            and (not self.status or row.status in self.status)
            and (not self.blocker or row.blocker in self.blocker)
            and newest <= row.age_seconds <= oldest
            and (self.text is None or self.text in row.job_id)
            and (members is None or row.ref in members)
        )


def bare(module: str | None) -> str:
    """The name of a module without its version."""
    return (module or "").partition("@")[0]

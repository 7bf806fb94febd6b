"""Spare runners: up without a tenant, so that a first job does not wait for the start of a browser. Pure.

A spare has its interpreter, driver, browser and first page up, and reaches no host. It takes no runner slot. A context
without a runner may adopt it: then the spare is that context's runner for the rest of its life, in the context's slot.
It is never given to a second one.

A spare was started before it was known for whom. So it serves only contexts whose runner would have been started with
the same terms.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pageworker_sandbox.flavor import Flavor
from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.runners.placement import NO_TENANT

SPARE = ContextKey("(spare)")
"""The context of a spare. No tenant has this name."""
UNASSIGNED = frozenset({NO_TENANT, SPARE})
"""Contexts of runners that serve no tenant: they take no runner slot."""

BUSY_PERCENT = 40.0
"""Share of time in which runnable processes of this host waited for a processor, above which no spare starts."""
LONGEST_WAIT_SECONDS = 20.0
"""A spare does not wait longer than this for processor time: a host may be busy for ever, with something else."""

Unfit = Literal["profile", "options", "flavor", "pages", "request_limits"]


@dataclass(frozen=True)
class Wants:
    """What the runner of a context needs beside its egress, which the gateway changes for a runner that is up."""

    context: ContextKey
    flavor: Flavor
    pages: int
    limited: bool
    """It needs permits for requests, which a browser asks for from its start on."""


def unfit(wants: Wants, flavor: Flavor, pages: int) -> Unfit | None:
    """Why a spare with this browser and these pages cannot serve a context; None: it can."""
    if wants.context.profile_id is not None:
        return "profile"
    if wants.context.options:
        return "options"
    if wants.flavor != flavor:
        return "flavor"
    if wants.pages != pages:
        return "pages"
    return "request_limits" if wants.limited else None


@dataclass(frozen=True)
class SpareView:
    """One spare. `ready`: it is up, and is not told to go."""

    runner_id: str
    ready: bool
    since: float
    """When it was made. Monotonic seconds."""


def select_spare(spares: Sequence[SpareView]) -> str | None:
    """The spare to adopt: the oldest one that is up."""
    ready = [spare for spare in spares if spare.ready]
    return min(ready, key=lambda spare: spare.since).runner_id if ready else None


def surplus_spares(spares: Sequence[SpareView], wanted: int) -> list[str]:
    """Spares that have to go because there are more than `wanted`, the oldest first: those that are up stay."""
    ordered = sorted(spares, key=lambda spare: (spare.ready, spare.since))
    return [spare.runner_id for spare in ordered[: max(0, len(ordered) - wanted)]]


@dataclass(frozen=True)
class Situation:
    """What decides whether a spare starts. Times are monotonic seconds."""

    now: float
    wanted: int
    spares: int
    may_start: bool
    """Runners start on this host, nothing of it is in doubt."""
    starting: bool
    """A runner is coming up, or a job that has its page has not begun: it needs the processor more."""
    fits: bool
    """Another runner fits into the memory."""
    busy_percent: float | None
    """How long processes wait for a processor (PSI `some`, ten seconds). None: the kernel does not say."""
    missing_since: float
    """Since when a spare is missing."""
    not_before: float
    """After a spare that did not start: when the next one may."""


def start_spare(seen: Situation) -> bool:
    """Whether to start one more spare now."""
    if seen.spares >= seen.wanted or not seen.may_start or seen.starting or not seen.fits:
        return False
    if seen.now < seen.not_before:
        return False
    waited = seen.now - seen.missing_since >= LONGEST_WAIT_SECONDS
    return waited or seen.busy_percent is None or seen.busy_percent <= BUSY_PERCENT

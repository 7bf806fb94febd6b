"""Where jobs can run on this worker. Pure: a picture of the fleet in, capacity and choices out.

A context is a tenant's profile, or a tenant's ephemeral context. One runner holds one context; a profile has one
runner at most, while a tenant's ephemeral work may spread over several. A worker may claim for contexts that it
holds (their free pages) and for as many new runners as it has runner slots: those without a runner, and those whose
runner is idle and may be replaced.

What may be replaced follows from what its start has cost, as measured. A busy runner stays for several times as long
as its start took, so that a slot spends most of its time with jobs. An idle one makes way after a moment: an idle slot
beside waiting work is a wasted one. Only where its context is known to come back after pauses it is kept for as long as
starting it again would cost, twice over: to keep it longer costs more than to start it again. And a page that is being
recycled serves its own context sooner than a new runner would.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isinf

from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.queue.capacity import Capacity, ContextCapacity

NO_ROOM_EITHER = -1
"""Free pages of a context for which the queue must not use a room."""

NOBODY = ContextKey("(nobody)")
"""The context of a runner that serves no tenant: it is started to see whether browsers start here. No tenant's name."""

LINGER_SECONDS = 0.25
"""An idle runner waits so long for the next job of its own context before its runner slot may go to another one."""
STARTS_IDLE = 2.0
"""Times the measured seconds of a start: so long an idle runner is kept whose context comes back after pauses."""
STARTS_RESIDENT = 5.0
"""Times the measured seconds of a start: so long a runner stays before another context may replace it though it is
busy. Starts then take at most a sixth of a slot's time."""
LONGEST_RESIDENCY_SECONDS = 20.0
"""No waiting context waits longer for a busy runner's slot, however long starts take (unless the setting is longer)."""


@dataclass(frozen=True)
class RunnerSlot:
    """One runner, as placement sees it. Times are monotonic seconds."""

    runner_id: str
    context: ContextKey
    pages: int
    taken: int
    """Pages that are promised, running or being recycled."""
    open: bool
    """Takes new jobs: not retiring, not reserved for a job that must run alone."""
    since: float
    """When it had come up; infinite before."""
    last_used: float
    start_seconds: float = 0.0
    """How long it took to come up."""
    recycling: int = 0
    """Of those taken: jobs have left them, and they are free again in less time than a start takes."""
    comes_back: bool = False
    """Its context has had jobs again after a pause."""

    @property
    def coming_up(self) -> bool:
        """Not ready yet."""
        return isinf(self.since)

    def replaceable_at(self, rules: "PoolRules") -> float:
        """From when on another context may have its runner slot though it is busy."""
        earned = min(LONGEST_RESIDENCY_SECONDS, STARTS_RESIDENT * self.start_seconds)
        return self.since + max(rules.residency_seconds, earned)

    def replaceable_idle_at(self, rules: "PoolRules") -> float:
        """From when on another context may have its runner slot, if it is idle."""
        if self.coming_up:
            return inf
        pause = max(LINGER_SECONDS, STARTS_IDLE * self.start_seconds if self.comes_back else 0.0)
        return min(self.replaceable_at(rules), self.last_used + pause)

    @property
    def soon_free(self) -> bool:
        """It takes more jobs in less time than another runner would."""
        return self.coming_up or self.recycling > 0

    @property
    def free(self) -> int:
        """How many more jobs it takes now."""
        return max(0, self.pages - self.taken) if self.open else 0


@dataclass(frozen=True)
class PoolRules:
    """The worker's limits: runners, pages a runner, seconds a runner keeps its place at least."""

    runners: int
    pages: int
    residency_seconds: float


def evictable(seats: Sequence[RunnerSlot], rules: PoolRules, now: float) -> list[RunnerSlot]:
    """Idle runners that may give their place to another context, least recently used first."""
    idle = [seat for seat in seats if seat.open and not seat.taken and now >= seat.replaceable_idle_at(rules)]
    return sorted(idle, key=lambda seat: seat.last_used)


def capacity(
    seats: Sequence[RunnerSlot],
    rules: PoolRules,
    now: float,
    limit: int,
    *,
    starts: bool = True,
    broken: Sequence[ContextCapacity] = (),
) -> Capacity:
    """What to claim for: free pages of held contexts, and runner slots for new ones, those only where a runner can be
    started now (`starts`). `broken`: contexts that do not come up, as the queue is to treat them."""
    idle = evictable(seats, rules, now) if starts else []
    # A full profile is named too: it is held here, so no room can serve it. So is an ephemeral context whose runner
    # is still coming up: a tenant gets its next runner when this one is there, not one for each job meanwhile. Nor does
    # it get one while a page is about to be free.
    held = tuple(
        ContextCapacity(seat.context, seat.free or (NO_ROOM_EITHER if seat.soon_free else 0), idle=seat in idle)
        for seat in seats
        if seat.free or seat.context.profile is not None or seat.soon_free
    )
    empty = max(0, rules.runners - len(seats)) if starts else 0
    # An idle runner's pages count once: either it keeps its context or it makes room.
    most = sum(seat.free for seat in seats) + empty * rules.pages + sum(max(0, room.free_pages) for room in broken)
    rooms = empty + len(idle)
    return Capacity(limit=min(limit, most), contexts=(*held, *broken), runner_slots=rooms, pages_per_runner=rules.pages)


def next_evictable_in(seats: Sequence[RunnerSlot], rules: PoolRules, now: float) -> float | None:
    """Seconds until the next runner may have to give way; None where none is waiting for that."""
    waits = [
        (seat.replaceable_at(rules) if seat.taken else seat.replaceable_idle_at(rules)) - now
        for seat in seats
        if not seat.coming_up
    ]
    return min((wait for wait in waits if wait > 0), default=None)


@dataclass(frozen=True)
class Use:
    """Run on this runner."""

    runner_id: str


@dataclass(frozen=True)
class Spawn:
    """Start a runner, after `evict` was told to go where that is named."""

    evict: str | None


def place(
    seats: Sequence[RunnerSlot],
    rules: PoolRules,
    now: float,
    context: ContextKey,
    *,
    solo: bool = False,
    careful: bool = False,
) -> Use | Spawn | None:
    """Where a job of `context` runs; None where there is no place left and it must be given back.

    A `solo` job takes an empty runner where it can; else it gets one with a free page, and waits there until
    its neighbours have left. `careful`: its runner may well not come up, so none of another context is replaced for it.
    """
    holders = [seat for seat in seats if seat.context == context and seat.free]
    empty = [seat for seat in holders if not seat.taken]
    if solo and empty:
        return Use(empty[0].runner_id)
    if holders and not solo:
        return Use(max(holders, key=lambda seat: seat.taken).runner_id)
    return _new_runner(seats, rules, now, context, careful) or (Use(holders[0].runner_id) if holders else None)


def _new_runner(
    seats: Sequence[RunnerSlot], rules: PoolRules, now: float, context: ContextKey, careful: bool
) -> Spawn | None:
    if context.profile is not None and any(seat.context.profile == context.profile for seat in seats):
        return None
    if len(seats) < rules.runners:
        return Spawn(evict=None)
    if careful:
        return None
    idle = [seat for seat in evictable(seats, rules, now) if seat.context != context]
    # Whoever has an idle runner itself, with another set of hosts or another profile, replaces that one.
    idle.sort(key=lambda seat: seat.context.tenant_id != context.tenant_id)
    return Spawn(evict=idle[0].runner_id) if idle else None


def select_eviction(seats: Sequence[RunnerSlot], rules: PoolRules, now: float, wanted: ContextKey) -> str | None:
    """Which busy runner should retire so that `wanted` gets its turn: of the tenant that has most of them here, the one
    that has held its place longest. So a tenant of many contexts replaces its own runners before those of others.

    Only past its residency, never while another runner already retires for the same purpose, and not for a
    context that is here already.
    """
    if any(seat.context == wanted for seat in seats) or any(not seat.open for seat in seats):
        return None
    if len(seats) < rules.runners or evictable(seats, rules, now):
        return None
    ripe = [seat for seat in seats if now >= seat.replaceable_at(rules)]
    held = Counter(seat.context.tenant_id for seat in seats)

    def order(seat: RunnerSlot) -> tuple[int, bool, float]:
        tenant_id = seat.context.tenant_id
        return -held[tenant_id], tenant_id != wanted.tenant_id, seat.since

    return min(ripe, key=order).runner_id if ripe else None

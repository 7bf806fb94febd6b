"""Where jobs can run on this worker. Pure: a picture of the fleet in, capacity and choices out.

A context is a tenant's profile, or a tenant's ephemeral context. One runner holds one context; a profile has one
runner at most, while a tenant's ephemeral work may spread over several. A worker may claim for contexts that it
holds (their free pages) and for as many new runners as it has rooms: slots without a runner, and runners that
are idle and have had their residency, or were idle for a moment. Longer than that no room is kept from a context that
waits: an idle room beside waiting work is a wasted one.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isinf

from pageworker_supervisor.engine.context_key import ContextKey
from pageworker_supervisor.engine.types import Capacity, ContextRoom

NO_ROOM_EITHER = -1
"""Free pages of a context for which the queue must not use a room."""

LINGER_SECONDS = 0.25
"""An idle runner waits so long for the next job of its own context before its room may go to another one."""


@dataclass(frozen=True)
class Seat:
    """One runner, as placement sees it. Times are monotonic seconds."""

    runner_id: str
    context: ContextKey
    pages: int
    taken: int
    """Pages that are promised, running or being recycled."""
    open: bool
    """Takes new jobs: not retiring, not reserved for a job that must run alone."""
    since: float
    """When it had come up, and as long again as that took; infinite before."""
    last_used: float

    @property
    def coming_up(self) -> bool:
        """Not ready yet."""
        return isinf(self.since)

    def gives_way_at(self, residency_seconds: float) -> float:
        """From when on its room may go to another context, if it is idle."""
        return min(self.since + residency_seconds, inf if self.coming_up else self.last_used + LINGER_SECONDS)

    @property
    def free(self) -> int:
        """How many more jobs it takes now."""
        return max(0, self.pages - self.taken) if self.open else 0


@dataclass(frozen=True)
class Rules:
    """The worker's limits: runners, pages a runner, seconds a runner keeps its place at least."""

    runners: int
    pages: int
    residency_seconds: float


def evictable(seats: Sequence[Seat], rules: Rules, now: float) -> list[Seat]:
    """Idle runners that may give their place to another context, least recently used first."""
    idle = [
        seat for seat in seats if seat.open and not seat.taken and now >= seat.gives_way_at(rules.residency_seconds)
    ]
    return sorted(idle, key=lambda seat: seat.last_used)


def capacity(seats: Sequence[Seat], rules: Rules, now: float, limit: int) -> Capacity:
    """What to claim for: free pages of held contexts, and rooms for new ones."""
    idle = evictable(seats, rules, now)
    # A full profile is named too: it is held here, so no room can serve it. So is an ephemeral context whose runner
    # is still coming up: a tenant gets its next runner when this one is there, not one for each job meanwhile.
    held = tuple(
        ContextRoom(seat.context, seat.free or (NO_ROOM_EITHER if seat.coming_up else 0), idle=seat in idle)
        for seat in seats
        if seat.free or seat.context.profile is not None or seat.coming_up
    )
    empty = max(0, rules.runners - len(seats))
    # An idle runner's pages count once: either it keeps its context or it makes room.
    most = sum(seat.free for seat in seats) + empty * rules.pages
    rooms = empty + len(idle)
    return Capacity(limit=min(limit, most), contexts=held, rooms=rooms, pages_per_room=rules.pages)


def ripens_in(seats: Sequence[Seat], rules: Rules, now: float) -> float | None:
    """Seconds until the next runner may have to give way; None where none is waiting for that."""
    residency = rules.residency_seconds
    waits = [
        (seat.since + residency if seat.taken else seat.gives_way_at(residency)) - now
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
    seats: Sequence[Seat], rules: Rules, now: float, context: ContextKey, *, solo: bool = False
) -> Use | Spawn | None:
    """Where a job of `context` runs; None where there is no place left and it must be given back.

    A `solo` job takes an empty runner where it can; else it gets one with a free page, and waits there until
    its neighbours have left.
    """
    holders = [seat for seat in seats if seat.context == context and seat.free]
    empty = [seat for seat in holders if not seat.taken]
    if solo and empty:
        return Use(empty[0].runner_id)
    if holders and not solo:
        return Use(max(holders, key=lambda seat: seat.taken).runner_id)
    return _new_runner(seats, rules, now, context) or (Use(holders[0].runner_id) if holders else None)


def _new_runner(seats: Sequence[Seat], rules: Rules, now: float, context: ContextKey) -> Spawn | None:
    if context.profile is not None and any(seat.context.profile == context.profile for seat in seats):
        return None
    if len(seats) < rules.runners:
        return Spawn(evict=None)
    idle = [seat for seat in evictable(seats, rules, now) if seat.context != context]
    # Whoever has an idle runner itself, with another set of hosts or another profile, replaces that one.
    idle.sort(key=lambda seat: seat.context.tenant_id != context.tenant_id)
    return Spawn(evict=idle[0].runner_id) if idle else None


def victim(seats: Sequence[Seat], rules: Rules, now: float, wanted: ContextKey) -> str | None:
    """Which busy runner should retire so that `wanted` gets its turn: of the tenant that has most of them here, the one
    that has held its place longest. So a tenant of many contexts replaces its own runners before those of others.

    Only past its residency, never while another runner already retires for the same purpose, and not for a
    context that is here already.
    """
    if any(seat.context == wanted for seat in seats) or any(not seat.open for seat in seats):
        return None
    if len(seats) < rules.runners or evictable(seats, rules, now):
        return None
    ripe = [seat for seat in seats if now - seat.since >= rules.residency_seconds]
    held = Counter(seat.context.tenant_id for seat in seats)

    def order(seat: Seat) -> tuple[int, bool, float]:
        tenant_id = seat.context.tenant_id
        return -held[tenant_id], tenant_id != wanted.tenant_id, seat.since

    return min(ripe, key=order).runner_id if ripe else None

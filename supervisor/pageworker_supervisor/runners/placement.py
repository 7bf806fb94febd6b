"""Where jobs can run on this worker. Pure: the runner slots go in, capacity and choices come out.

A browser context is a tenant's profile, or a tenant's ephemeral context. One runner holds one context. A profile has at
most one runner; a tenant's ephemeral jobs may use several. A worker claims jobs for the contexts that it holds (their
free pages) and for as many new runners as it has free runner slots: those without a runner, and those whose runner is
idle and may be replaced.

When a runner may be replaced depends on how long its start took. A busy runner stays for several times its start time,
so that a slot spends most of its time with jobs. An idle runner may be replaced after a moment, because an idle slot
beside waiting jobs is wasted. If its context has had jobs again after a pause, it is kept for twice its start time: to
keep it longer would cost more than to start it again. A page that is being recycled serves its own context sooner than
a new runner would.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import inf, isinf

from msgspec import structs

from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.queue.claim import Capacity, ContextCapacity
from pageworker_supervisor.runners.memory_fit import runners_that_fit

NO_RUNNER_SLOT = -1
"""Free pages of a context for which the queue must not use a runner slot."""

NO_TENANT = ContextKey("(no tenant)")
"""The context of a probe: a runner that is started to find out whether browsers start here. No tenant has this name."""

STORED_BESIDE = 4
"""This many profiles are stored without a runner slot. Of more, each keeps the slot of its runner until it is stored: a
slow store must not have more folders in work, and more helper processes, than this worker's pool and these."""
LINGER_SECONDS = 0.25
"""How long an idle runner waits for the next job of its context before another context may have its slot."""
STARTS_IDLE = 2.0
"""An idle runner whose context comes back after pauses is kept for this many times its start time."""
STARTS_RESIDENT = 5.0
"""A busy runner stays for this many times its start time before another context may replace it. Starts then take at
most a sixth of a slot's time."""
LONGEST_RESIDENCY_SECONDS = 20.0
"""The longest time that a busy runner stays because its start was slow. The setting may be longer."""


@dataclass(frozen=True)
class RunnerSlot:
    """One runner as placement sees it. Times are monotonic seconds."""

    runner_id: str
    context: ContextKey
    pages: int
    taken: int
    """Pages that are reserved, in use or being recycled."""
    open: bool
    """It takes new jobs: it does not retire, and no job has it exclusively."""
    since: float
    """When it came up; infinite before."""
    last_used: float
    start_seconds: float = 0.0
    """How long it took to come up."""
    recycling: int = 0
    """Taken pages that jobs have left. They are free again in less time than a start takes."""
    comes_back: bool = False
    """Its context has had jobs again after a pause."""
    memory_bytes: int | None = None
    """When it was last measured; None before."""
    storing: bool = False
    """None of its processes is left: its profile is being stored."""

    @property
    def coming_up(self) -> bool:
        """Not ready yet."""
        return isinf(self.since)

    def replaceable_at(self, rules: "PoolRules") -> float:
        """When another context may have its slot at the earliest although it is busy."""
        earned = min(LONGEST_RESIDENCY_SECONDS, STARTS_RESIDENT * self.start_seconds)
        return self.since + max(rules.residency_seconds, earned)

    def replaceable_idle_at(self, rules: "PoolRules") -> float:
        """When another context may have its slot at the earliest if it is idle."""
        if self.coming_up:
            return inf
        pause = max(LINGER_SECONDS, STARTS_IDLE * self.start_seconds if self.comes_back else 0.0)
        return min(self.replaceable_at(rules), self.last_used + pause)

    @property
    def soon_free(self) -> bool:
        """It will take more jobs sooner than a new runner could."""
        return not self.one_job and not self.storing and (self.coming_up or self.recycling > 0)

    @property
    def one_job(self) -> bool:
        """It runs one job and ends: it takes no further one, and leaves its slot by itself."""
        return self.context.isolation.one_job

    @property
    def free(self) -> int:
        """How many more jobs it takes now."""
        return max(0, self.pages - self.taken) if self.open else 0


def surplus(slots: Sequence[RunnerSlot], rules: "PoolRules") -> list[str]:
    """Runners that have to go because there are more than `rules.runners`: closed ones count as gone, and of the others
    those with the fewest jobs go, of these the one that was idle longest."""
    open_slots = sorted((slot for slot in slots if slot.open), key=lambda slot: (slot.taken, slot.last_used))
    return [slot.runner_id for slot in open_slots[: max(0, len(open_slots) - rules.runners)]]


def occupied(slots: Sequence[RunnerSlot]) -> list[RunnerSlot]:
    """Those that count: without the runners that have ended and only store their profile, up to STORED_BESIDE."""
    storing = [slot for slot in slots if slot.storing]
    return [slot for slot in slots if not slot.storing] + storing[STORED_BESIDE:]


@dataclass(frozen=True)
class PoolRules:
    """The worker's limits: runners, pages per runner, seconds that a busy runner keeps its slot at least."""

    runners: int
    pages: int
    residency_seconds: float
    one_page: frozenset[str] = frozenset()
    """Proxy policies whose runners have one page, whatever `pages` says."""
    memory_bytes: int | None = None
    """That all runners together may use. None: no limit."""

    def fitting(self, slots: Sequence[RunnerSlot]) -> int:
        """How many more runners may be started beside these."""
        taken = occupied(slots)
        free = self.runners - len(taken)
        if self.memory_bytes is not None:
            free = min(free, runners_that_fit([slot.memory_bytes for slot in taken], self.memory_bytes))
        return max(0, free)

    def pages_of(self, context: ContextKey) -> int:
        """Pages of a runner of this context."""
        return 1 if context.has_one_page or context.proxy in self.one_page else self.pages


def evictable(slots: Sequence[RunnerSlot], rules: PoolRules, now: float) -> list[RunnerSlot]:
    """Idle runners that another context may replace, least recently used first."""
    idle = [slot for slot in slots if slot.open and not slot.taken and now >= slot.replaceable_idle_at(rules)]
    return sorted(idle, key=lambda slot: slot.last_used)


def replaceable(slots: Sequence[RunnerSlot], rules: PoolRules, now: float) -> list[RunnerSlot]:
    """Those of them in whose place another runner fits into the memory."""
    idle = evictable(slots, rules, now)
    if rules.memory_bytes is None:
        return idle
    # A pool that was made smaller has more runners than it may have: they are replaced all the same.
    wide = replace(rules, runners=max(rules.runners, len(occupied(slots))))
    return [slot for slot in idle if wide.fitting([other for other in slots if other is not slot])]


def capacity(
    slots: Sequence[RunnerSlot],
    rules: PoolRules,
    now: float,
    limit: int,
    *,
    starts: bool = True,
    broken: Sequence[ContextCapacity] = (),
) -> Capacity:
    """What to claim for: free pages of held contexts, and runner slots for new ones.

    `starts`: whether runners can be started now. `broken`: contexts that do not come up, as the queue has to treat
    them.
    """
    idle = replaceable(slots, rules, now) if starts else []
    # A profile without free pages is listed too: it is held here, so no other runner can serve it. So is an ephemeral
    # context whose runner is coming up, or has a page that is about to be free: it gets no second runner meanwhile.
    held = tuple(
        ContextCapacity(slot.context, slot.free or (NO_RUNNER_SLOT if slot.soon_free else 0), idle=slot in idle)
        for slot in slots
        if slot.free or slot.context.profile is not None or slot.soon_free
    )
    empty = rules.fitting(slots) if starts else 0
    # An idle runner's pages count once: either it keeps its context, or another context replaces it.
    most = (
        sum(slot.free for slot in slots) + empty * rules.pages + sum(max(0, context.free_pages) for context in broken)
    )
    runner_slots = empty + len(idle)
    return Capacity(
        limit=min(limit, most),
        contexts=(*held, *broken),
        runner_slots=runner_slots,
        pages_per_runner=rules.pages,
        one_page=rules.one_page,
    )


def without_jobs(found: Capacity) -> Capacity:
    """What a claim asks for that is to bring no job to run. Jobs that only need their result written still come.

    The profiles stay in it: this worker holds them. Ephemeral contexts do not: the worker would be woken for their
    jobs in place of one that can run them.
    """
    held = tuple(
        structs.replace(one, free_pages=min(0, one.free_pages), idle=False)
        for one in found.contexts
        if one.context.profile is not None and not one.refused
    )
    return structs.replace(found, limit=0, contexts=held, runner_slots=0)


def next_evictable_in(slots: Sequence[RunnerSlot], rules: PoolRules, now: float) -> float | None:
    """Seconds until the next runner may be replaced; None if time changes nothing."""
    waits = [
        (slot.replaceable_at(rules) if slot.taken else slot.replaceable_idle_at(rules)) - now
        for slot in slots
        if not slot.coming_up
    ]
    return min((wait for wait in waits if wait > 0), default=None)


@dataclass(frozen=True)
class Use:
    """Run on this runner."""

    runner_id: str


@dataclass(frozen=True)
class Spawn:
    """Start a runner. `evict`: the idle runner that it replaces, if any."""

    evict: str | None


@dataclass(frozen=True)
class Adopt:
    """Give this spare runner to the context. `evict`: the idle runner whose slot it takes, if any."""

    runner_id: str
    evict: str | None


def place(
    slots: Sequence[RunnerSlot],
    rules: PoolRules,
    now: float,
    context: ContextKey,
    *,
    exclusive: bool = False,
    careful: bool = False,
    spare: str | None = None,
) -> Use | Spawn | Adopt | None:
    """Where a job of `context` runs; None if there is no place and it must be requeued.

    An `exclusive` job takes an empty runner if it can. Otherwise it takes a free page and waits until the other jobs
    of that runner have left. `careful`: its runner will probably not come up, so it replaces no idle runner. `spare`: a
    spare runner that can serve the context. It is adopted where another runner would be started: it has no slot yet.
    """
    holders = [slot for slot in slots if slot.context == context and slot.free]
    empty = [slot for slot in holders if not slot.taken]
    if exclusive and empty:
        return Use(empty[0].runner_id)
    if holders and not exclusive:
        return Use(max(holders, key=lambda slot: slot.taken).runner_id)
    match _new_runner(slots, rules, now, context, careful):
        case Spawn(evict) if spare is not None:
            return Adopt(spare, evict)
        case Spawn() as spawn:
            return spawn
        case _:
            return Use(holders[0].runner_id) if holders else None


def _new_runner(
    slots: Sequence[RunnerSlot], rules: PoolRules, now: float, context: ContextKey, careful: bool
) -> Spawn | None:
    if context.profile is not None and any(slot.context.profile == context.profile for slot in slots):
        return None
    if rules.fitting(slots):
        return Spawn(evict=None)
    if careful:
        return None
    idle = [slot for slot in replaceable(slots, rules, now) if slot.context != context]
    # A tenant that has an idle runner of another context replaces that one first.
    idle.sort(key=lambda slot: slot.context.tenant_id != context.tenant_id)
    return Spawn(evict=idle[0].runner_id) if idle else None


@dataclass(frozen=True)
class PendingPlacement:
    """One job that is claimed and not placed yet: its module is still being checked. `exclusive`: it must run alone on
    its runner."""

    context: ContextKey
    exclusive: bool


def with_pending(
    slots: Sequence[RunnerSlot], rules: PoolRules, now: float, pending: Iterable[PendingPlacement]
) -> list[RunnerSlot]:
    """The fleet as it will be when each of these jobs is placed. A claim asks for what fits beside them."""
    expected = list(slots)
    for number, job in enumerate(pending):
        match place(expected, rules, now, job.context, exclusive=job.exclusive):
            case Use(runner_id):
                expected = [
                    replace(slot, taken=slot.taken + 1, open=slot.open and not job.exclusive)
                    if slot.runner_id == runner_id
                    else slot
                    for slot in expected
                ]
            case Spawn(evict):
                coming = RunnerSlot(
                    runner_id=f"?{number}",
                    context=job.context,
                    pages=rules.pages_of(job.context),
                    taken=1,
                    open=not job.exclusive,
                    since=inf,
                    last_used=now,
                )
                expected = [slot for slot in expected if slot.runner_id != evict] + [coming]
    return expected


def holder_with_other_values(slots: Sequence[RunnerSlot], wanted: ContextKey) -> RunnerSlot | None:
    """The runner that has the wanted profile open with other hosts or options."""
    if wanted.profile is None:
        return None
    return next((slot for slot in slots if slot.context.profile == wanted.profile and slot.context != wanted), None)


def may_retire(slot: RunnerSlot, rules: PoolRules, now: float) -> bool:
    """Whether a runner has had its minimum time, so that the same profile may be opened with other hosts or options."""
    if slot.coming_up:
        return False
    return now >= (slot.replaceable_at(rules) if slot.taken else slot.replaceable_idle_at(rules))


def select_retirement(slots: Sequence[RunnerSlot], rules: PoolRules, now: float, wanted: ContextKey) -> str | None:
    """Which busy runner retires so that `wanted` gets a slot: of the tenant that has most runners here, the one that
    has had its slot longest. So a tenant of many contexts replaces its own runners before those of other tenants. Where
    the memory is too small for another runner in the place of any idle one, the least recently used idle one retires.

    None while no runner has had its minimum time, while another runner already retires, and for a context that is here.
    """
    if any(slot.context == wanted for slot in slots):
        return None
    taken = occupied(slots)
    if any(not slot.open and not slot.one_job for slot in taken):
        return None
    if rules.fitting(slots) or replaceable(slots, rules, now):
        return None
    if idle := evictable(slots, rules, now):
        return idle[0].runner_id
    ripe = [slot for slot in taken if now >= slot.replaceable_at(rules) and not slot.one_job]
    held = Counter(slot.context.tenant_id for slot in taken)

    def order(slot: RunnerSlot) -> tuple[int, bool, float]:
        tenant_id = slot.context.tenant_id
        return -held[tenant_id], tenant_id != wanted.tenant_id, slot.since

    return min(ripe, key=order).runner_id if ripe else None

"""What this worker's past starts tell of its host and of its browser contexts. Pure: the caller passes the time in.

A host is doubted when a browser did not come up for an unknown reason: jobs still start runners, and a probe (a
runner of no tenant) starts at once. The host is closed when it made a start fail: no job starts a runner, only probes
start, each after a longer pause. After three failed starts in a row it is failing, and the worker is not ready. Any
runner that comes up makes the host well again.

A context that fails alone gets a circuit breaker. If a browser does not come up for an unknown reason, the next
start of another context tells whether the context or the host is to blame.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, auto
from math import inf

from pageworker_sandbox.state_machine import TransitionTable, next_state
from pageworker_supervisor.backoff import Backoff
from pageworker_supervisor.contract.context_key import ANY_PROFILE, ContextKey
from pageworker_supervisor.queue.claim import ContextCapacity
from pageworker_supervisor.runners.context_breaker import ContextBreaker, ContextBreakerState
from pageworker_supervisor.runners.start_failure import Blame, ContextBroken, StartFailure

FAILED_STARTS = 3
"""In a row, after which the worker is not ready."""
FIRST_PROBE_SECONDS = 0.5
LONGEST_PROBE_SECONDS = 30.0
"""The pause before a probe, after the first failure and at most."""
HELD_BACK = -1
"""Free pages of a context that must not get a runner slot."""
REFUSED_PER_CLAIM = 16
"""Jobs per claim of a context with an open breaker. They end with an error, without a runner."""
BROKEN_PER_CLAIM = 128
"""Broken contexts per claim: the latest ones."""
PATIENCE_SECONDS = 10.0
"""How long a context that failed waits for an empty runner slot. After that it may replace an idle runner."""
FORGET_SECONDS = 600.0
"""The same for a context with an open breaker. The breaker is then forgotten: the next failed start is the first."""
SUSPECTED_CONTEXTS = 2
"""Contexts of one tenant that fail, with none that comes up, after which the tenant is suspected."""
SUSPECTED_SECONDS = 30.0
LONGEST_SUSPICION_SECONDS = 60.0
"""How long a suspected tenant gets only empty runner slots after a failure: at first, and at most. Each further context
that fails doubles the time. After that the tenant may replace idle runners again."""
SUSPECTS_REMEMBERED = 16
EVIDENCE_SECONDS = 60.0
"""If a context that failed before fails again, it is to blame if another context came up within this time."""


class HostState(Enum):
    """What is known of the host."""

    WELL = auto()
    DOUBTED = auto()
    """A browser did not come up, and no other has since. Jobs still start runners; a probe is due at once."""
    CLOSED = auto()
    """The host made a start fail. Only probes start."""
    FAILING = auto()
    """Several starts failed in a row. Only probes start, and the worker is not ready."""


class HostEvent(Enum):
    """How a start ended. A failure counts here only if the host may have caused it."""

    CAME_UP = auto()
    DOUBT = auto()
    """It failed for an unknown reason."""
    FAILED = auto()
    """The host made it fail."""
    FAILED_AT_THRESHOLD = auto()
    """A failure that makes `FAILED_STARTS` failures in a row, or more."""


TRANSITIONS: TransitionTable[HostState, HostEvent] = {
    (HostState.WELL, HostEvent.CAME_UP): HostState.WELL,
    (HostState.WELL, HostEvent.DOUBT): HostState.DOUBTED,
    (HostState.WELL, HostEvent.FAILED): HostState.CLOSED,
    (HostState.DOUBTED, HostEvent.CAME_UP): HostState.WELL,
    (HostState.DOUBTED, HostEvent.DOUBT): HostState.DOUBTED,
    (HostState.DOUBTED, HostEvent.FAILED): HostState.CLOSED,
    (HostState.CLOSED, HostEvent.CAME_UP): HostState.WELL,
    (HostState.CLOSED, HostEvent.DOUBT): HostState.CLOSED,
    (HostState.CLOSED, HostEvent.FAILED): HostState.CLOSED,
    (HostState.CLOSED, HostEvent.FAILED_AT_THRESHOLD): HostState.FAILING,
    (HostState.FAILING, HostEvent.CAME_UP): HostState.WELL,
    (HostState.FAILING, HostEvent.DOUBT): HostState.FAILING,
    (HostState.FAILING, HostEvent.FAILED_AT_THRESHOLD): HostState.FAILING,
}


@dataclass
class HostHealth:
    """This worker's host. Times are seconds on any clock that does not go back."""

    state: HostState = HostState.WELL
    failures: int = 0
    """In a row."""
    reason: str = ""
    """Why the last start failed."""
    last_came_up: float = -inf
    last_failed: float = -inf
    _backoff: Backoff = field(default_factory=lambda: Backoff(FIRST_PROBE_SECONDS, LONGEST_PROBE_SECONDS))

    @property
    def closed(self) -> bool:
        """True while no job may start a runner."""
        return self.state in (HostState.CLOSED, HostState.FAILING)

    @property
    def trouble(self) -> str | None:
        """Why the worker is not ready; None if it is."""
        if self.state is not HostState.FAILING:
            return None
        return f"no browser starts here, {self.failures} starts failed: {self.reason}"

    def came_up(self, now: float) -> None:
        """A runner came up."""
        self.failures = 0
        self.reason = ""
        self.last_came_up = now
        self._backoff.reset()
        self._step(HostEvent.CAME_UP)

    def doubt(self) -> None:
        """A browser did not come up for an unknown reason."""
        self._step(HostEvent.DOUBT)

    def failed(self, now: float, reason: str) -> None:
        """The host made a start fail: a job's, or a probe."""
        # The start that raised the doubt counts too.
        self.failures += 2 if self.state is HostState.DOUBTED else 1
        self.reason = reason
        self.last_failed = now
        self._backoff.pause(now)
        self._step(HostEvent.FAILED_AT_THRESHOLD if self.failures >= FAILED_STARTS else HostEvent.FAILED)

    def probe_in(self, now: float) -> float | None:
        """Seconds until a probe should start; None if none is needed."""
        match self.state:
            case HostState.WELL:
                return None
            case HostState.DOUBTED:
                return 0.0
            case _:
                return self._backoff.remaining_seconds(now)

    def _step(self, event: HostEvent) -> None:
        self.state = next_state(TRANSITIONS, self.state, event)


@dataclass
class _ContextHistory:
    """One context that failed lately. `failure` is the last one."""

    breaker: ContextBreaker
    failure: StartFailure | None = None


@dataclass
class _TenantSuspicion:
    """One tenant whose contexts fail to come up, in runner slots that other tenants could have used."""

    contexts: set[ContextKey] = field(default_factory=set)
    until: float = 0.0

    def failed(self, context: ContextKey, now: float) -> None:
        """A start of this context failed."""
        if len(self.contexts) < SUSPECTS_REMEMBERED:
            self.contexts.add(context)
        further = max(0, len(self.contexts) - SUSPECTED_CONTEXTS)
        self.until = now + min(LONGEST_SUSPICION_SECONDS, SUSPECTED_SECONDS * 2.0**further)

    def waits(self, now: float) -> bool:
        """Whether the tenant's other contexts get only empty runner slots."""
        return len(self.contexts) >= SUSPECTED_CONTEXTS and now < self.until


def _careful(entry: _ContextHistory, now: float) -> bool:
    breaker = entry.breaker
    if breaker.state is ContextBreakerState.CLOSED or (entry.failure is not None and not entry.failure.had_slot):
        return False
    return now < breaker.backoff.until + (FORGET_SECONDS if breaker.refuses() else PATIENCE_SECONDS)


@dataclass
class StartHistory:
    """The history of one worker. Times are monotonic seconds."""

    host: HostHealth = field(default_factory=HostHealth)
    _contexts: dict[ContextKey, _ContextHistory] = field(default_factory=dict)
    _suspected: dict[str, _TenantSuspicion] = field(default_factory=dict)

    def permits(self, context: ContextKey, now: float) -> bool:
        """May a start of this context begin now?"""
        entry = self._contexts.get(context)
        return not self.host.closed and (entry is None or entry.breaker.permits(now))

    def careful(self, context: ContextKey, now: float) -> bool:
        """True: this context will probably not come up. It may only use a runner slot that is empty."""
        entry = self._contexts.get(context)
        if entry is not None and entry.breaker.state is not ContextBreakerState.CLOSED:
            return _careful(entry, now)
        suspected = self._suspected.get(context.tenant_id)
        return suspected is not None and suspected.waits(now)

    def refusal(self, context: ContextKey, now: float) -> ContextBroken | None:
        """The error for a job whose context has an open breaker; None if the job may wait."""
        entry = self._contexts.get(context)
        if entry is None or entry.failure is None or not entry.breaker.refuses():
            return None
        return ContextBroken(entry.failure, entry.breaker.backoff.remaining_seconds(now))

    def begin(self, context: ContextKey) -> bool:
        """A start begins. True: it is a probe, and the caller has to call `decided` when it ends."""
        entry = self._contexts.get(context)
        return entry is not None and entry.breaker.begin()

    def decided(self, context: ContextKey) -> None:
        """A probe ended, or the reason of a suspected start is known."""
        if (entry := self._contexts.get(context)) is not None:
            entry.breaker.decided()

    def came_up(self, context: ContextKey, now: float) -> None:
        """A runner of this context is ready."""
        self.host.came_up(now)
        self._suspected.pop(context.tenant_id, None)
        if (entry := self._contexts.get(context)) is not None:
            entry.breaker.came_up()
            if not entry.breaker.undecided:
                del self._contexts[context]

    def suspect(self, context: ContextKey) -> None:
        """A start of this context failed for an unknown reason. No other begins until `decided` is called."""
        self._entry(context).breaker.suspect()

    def blame_for(self, context: ContextKey, began: float, ended: float) -> Blame:
        """CONTEXT or HOST, for a start that failed between these times for an unknown reason. UNKNOWN: not decided
        yet."""
        entry = self._contexts.get(context)
        if entry is not None and entry.breaker.failures:
            began = min(began, ended - EVIDENCE_SECONDS)
        if self.host.closed:
            return Blame.HOST
        return Blame.CONTEXT if self.host.last_came_up > began else Blame.UNKNOWN

    def failed(self, context: ContextKey, failure: StartFailure, now: float) -> ContextBroken:
        """A start failed, and the context is to blame. Returns the error for its jobs."""
        entry = self._entry(context)
        entry.failure = failure
        entry.breaker.failed(now, certain=not failure.retryable, counts=failure.charged)
        if failure.had_slot:
            self._suspected.setdefault(context.tenant_id, _TenantSuspicion()).failed(context, now)
        return ContextBroken(failure, entry.breaker.backoff.remaining_seconds(now))

    def broken_capacity(self, now: float, empty_slots: int) -> Iterable[ContextCapacity]:
        """What a claim has to know: contexts that get no runner slot now, and those whose jobs end with an error."""
        self._forget(now)
        for context, entry in list(self._contexts.items())[-BROKEN_PER_CLAIM:]:
            breaker = entry.breaker
            if breaker.permits(now) and (empty_slots > 0 or not _careful(entry, now)):
                continue
            refuses = breaker.refuses() and entry.failure is not None
            pages = REFUSED_PER_CLAIM if refuses else HELD_BACK
            yield ContextCapacity(context, pages, refused=True)
        for tenant_id, suspected in self._suspected.items():
            if empty_slots <= 0 and suspected.waits(now):
                yield ContextCapacity(ContextKey(tenant_id, ANY_PROFILE), HELD_BACK, refused=True)

    def until(self, context: ContextKey) -> float:
        """When the pause of the context is over; 0 if it has none."""
        entry = self._contexts.get(context)
        return entry.breaker.backoff.until if entry else 0.0

    def changes_in(self, now: float) -> float | None:
        """Seconds until the next pause is over; None if there is none."""
        untils = [entry.breaker.backoff.until for entry in self._contexts.values()]
        waits = [until + patience - now for until in untils for patience in (0.0, PATIENCE_SECONDS)]
        waits += [suspected.until - now for suspected in self._suspected.values()]
        return min((wait for wait in waits if wait > 0), default=None)

    def broken(self) -> int:
        """How many contexts have an open breaker."""
        return sum(entry.breaker.refuses() for entry in self._contexts.values())

    def _entry(self, context: ContextKey) -> _ContextHistory:
        entry = self._contexts.pop(context, None) or _ContextHistory(ContextBreaker())
        self._contexts[context] = entry
        return entry

    def _forget(self, now: float) -> None:
        for context, entry in list(self._contexts.items()):
            if not entry.breaker.undecided and now >= entry.breaker.backoff.until + FORGET_SECONDS:
                del self._contexts[context]
        for tenant_id, suspected in list(self._suspected.items()):
            if now >= suspected.until + FORGET_SECONDS:
                del self._suspected[tenant_id]

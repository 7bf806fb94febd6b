"""What this worker's past starts tell of its browser contexts and of its host. Pure: the caller passes the time in.

A context that fails alone gets a circuit breaker. A host that makes starts of all contexts fail starts no runner for
jobs. Where a browser does not come up for an unknown reason, the next start of another context tells which of the two
it is.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from pageworker_supervisor.contract.context_key import ANY_PROFILE, ContextKey
from pageworker_supervisor.queue.claim import ContextCapacity
from pageworker_supervisor.runners.context_breaker import ContextBreaker, ContextBreakerState
from pageworker_supervisor.runners.host_health import HostHealth
from pageworker_supervisor.runners.start_failure import Blame, ContextBroken, StartFailure

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
"""A context that failed before is to blame again where another context came up at most so long before."""


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
    return now < breaker.until + (FORGET_SECONDS if breaker.refuses() else PATIENCE_SECONDS)


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
        """The error for a job whose context has an open breaker; None where the job may wait."""
        entry = self._contexts.get(context)
        if entry is None or entry.failure is None or not entry.breaker.refuses():
            return None
        return ContextBroken(entry.failure, entry.breaker.remaining_seconds(now))

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
        return ContextBroken(failure, entry.breaker.remaining_seconds(now))

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
        """When the pause of the context is over; 0 where it has none."""
        entry = self._contexts.get(context)
        return entry.breaker.until if entry else 0.0

    def changes_in(self, now: float) -> float | None:
        """Seconds until the next pause is over; None where there is none."""
        untils = [entry.breaker.until for entry in self._contexts.values()]
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
            if not entry.breaker.undecided and now >= entry.breaker.until + FORGET_SECONDS:
                del self._contexts[context]
        for tenant_id, suspected in list(self._suspected.items()):
            if now >= suspected.until + FORGET_SECONDS:
                del self._suspected[tenant_id]

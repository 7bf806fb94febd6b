"""What this worker's starts say of its browser contexts and of its host. Pure: times are passed in.

A context that fails alone gets a circuit breaker; a host that fails everybody closes for all. Which of the two it is,
where a browser just does not come up, is told by the next start of another context.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, auto

from pageworker_supervisor.contract.context_key import ANY_PROFILE, ContextKey
from pageworker_supervisor.queue.capacity import ContextCapacity
from pageworker_supervisor.runners.context_breaker import ContextBreaker, ContextBreakerState
from pageworker_supervisor.runners.host_health import HostHealth
from pageworker_supervisor.runners.start_failure import ContextBroken, StartFailure

HELD_BACK = -1
"""Free pages of a context for which no runner slot may be used."""
REFUSED_PER_CLAIM = 16
"""Jobs of a context with an open breaker that one claim brings, to be answered without a runner."""
NAMED_AT_MOST = 128
"""Broken contexts that a claim names: the latest."""
PATIENCE_SECONDS = 10.0
"""A context that failed waits so long for a runner slot that is empty; then it may have that of an idle runner."""
FORGET_SECONDS = 600.0
"""The same for one with an open breaker: that is forgotten, and the next start counts as the first."""
SUSPECTED_CONTEXTS = 2
"""A tenant with so many contexts that do not come up, and none that has since, is suspected."""
SUSPECTED_SECONDS = 30.0
LONGEST_SUSPICION_SECONDS = 60.0
"""After a failure a suspected tenant waits so long for empty runner slots, longer with each further context that
fails; then it may have that of an idle runner."""
SUSPECTS_REMEMBERED = 16
EVIDENCE_SECONDS = 60.0
"""A context that failed before is to blame again where another came up within so long before."""


class StartBlame(Enum):
    """Whose fault an unexplained failure was."""

    CONTEXT = auto()
    HOST = auto()


@dataclass
class _Entry:
    """A context that failed lately. `failure` is the last one."""

    breaker: ContextBreaker
    failure: StartFailure | None = None


@dataclass
class _Suspected:
    """A tenant of which contexts do not come up, in runner slots that others could have had."""

    contexts: set[ContextKey] = field(default_factory=set)
    until: float = 0.0

    def failed(self, context: ContextKey, now: float) -> None:
        """One more start that failed, or one more time."""
        if len(self.contexts) < SUSPECTS_REMEMBERED:
            self.contexts.add(context)
        further = max(0, len(self.contexts) - SUSPECTED_CONTEXTS)
        self.until = now + min(LONGEST_SUSPICION_SECONDS, SUSPECTED_SECONDS * 2.0**further)

    def waits(self, now: float) -> bool:
        """Whether its contexts that were not tried yet get no more than empty slots."""
        return len(self.contexts) >= SUSPECTED_CONTEXTS and now < self.until


def _careful(entry: _Entry, now: float) -> bool:
    breaker = entry.breaker
    if breaker.state is ContextBreakerState.CLOSED or (entry.failure is not None and not entry.failure.had_slot):
        return False
    return now < breaker.until + (FORGET_SECONDS if breaker.refuses() else PATIENCE_SECONDS)


@dataclass
class Starts:
    """Breakers by context, latest last. Times are monotonic seconds."""

    host: HostHealth = field(default_factory=HostHealth)
    _entries: dict[ContextKey, _Entry] = field(default_factory=dict)
    _suspected: dict[str, _Suspected] = field(default_factory=dict)

    def permits(self, context: ContextKey, now: float) -> bool:
        """May a start of this context begin now?"""
        entry = self._entries.get(context)
        return not self.host.closed and (entry is None or entry.breaker.permits(now))

    def careful(self, context: ContextKey, now: float) -> bool:
        """True: this context may well not come up, and may only use a runner slot that is empty."""
        entry = self._entries.get(context)
        if entry is not None and entry.breaker.state is not ContextBreakerState.CLOSED:
            return _careful(entry, now)
        suspected = self._suspected.get(context.tenant_id)
        return suspected is not None and suspected.waits(now)

    def refusal(self, context: ContextKey, now: float) -> ContextBroken | None:
        """The error for a job whose context has an open breaker; None where it may wait."""
        entry = self._entries.get(context)
        if entry is None or entry.failure is None or not entry.breaker.refuses():
            return None
        return ContextBroken(entry.failure, entry.breaker.remaining_seconds(now))

    def begin(self, context: ContextKey) -> bool:
        """A start begins. True: a probe, to be told by `decided`."""
        entry = self._entries.get(context)
        return entry is not None and entry.breaker.begin()

    def decided(self, context: ContextKey) -> None:
        """A probe, or a failed start that was suspected, has been told."""
        if (entry := self._entries.get(context)) is not None:
            entry.breaker.decided()

    def came_up(self, context: ContextKey, now: float) -> None:
        """A runner of this context is ready."""
        self.host.came_up(now)
        self._suspected.pop(context.tenant_id, None)
        if (entry := self._entries.get(context)) is not None:
            entry.breaker.came_up()
            if not entry.breaker.undecided:
                del self._entries[context]

    def suspect(self, context: ContextKey) -> None:
        """A start of this context failed, and it is not known why: nothing starts for it until `decided`."""
        self._entry(context).breaker.suspect()

    def verdict(self, context: ContextKey, began: float, ended: float) -> StartBlame | None:
        """Whose fault an unexplained failure is, as far as is known; None: not yet."""
        entry = self._entries.get(context)
        if entry is not None and entry.breaker.failures:
            began = min(began, ended - EVIDENCE_SECONDS)
        if self.host.closed:
            return StartBlame.HOST
        return StartBlame.CONTEXT if self.host.last_came_up > began else None

    def failed(self, context: ContextKey, failure: StartFailure, now: float) -> ContextBroken:
        """A start failed, and the context is to blame."""
        entry = self._entry(context)
        entry.failure = failure
        entry.breaker.failed(now, certain=not failure.retryable, counts=failure.charged)
        if failure.had_slot:
            self._suspected.setdefault(context.tenant_id, _Suspected()).failed(context, now)
        return ContextBroken(failure, entry.breaker.remaining_seconds(now))

    def named(self, now: float, empty_slots: int) -> Iterable[ContextCapacity]:
        """What a claim must know: contexts that are held back, or whose jobs come to be refused."""
        self._forget(now)
        for context, entry in list(self._entries.items())[-NAMED_AT_MOST:]:
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
        """When the context's pause is over; 0 where it has none."""
        entry = self._entries.get(context)
        return entry.breaker.until if entry else 0.0

    def changes_in(self, now: float) -> float | None:
        """Seconds until a pause is over; None where none is."""
        untils = [entry.breaker.until for entry in self._entries.values()]
        waits = [until + patience - now for until in untils for patience in (0.0, PATIENCE_SECONDS)]
        waits += [suspected.until - now for suspected in self._suspected.values()]
        return min((wait for wait in waits if wait > 0), default=None)

    def broken(self) -> int:
        """Contexts whose breaker is open."""
        return sum(entry.breaker.refuses() for entry in self._entries.values())

    def _entry(self, context: ContextKey) -> _Entry:
        entry = self._entries.pop(context, None) or _Entry(ContextBreaker())
        self._entries[context] = entry
        return entry

    def _forget(self, now: float) -> None:
        for context, entry in list(self._entries.items()):
            if not entry.breaker.undecided and now >= entry.breaker.until + FORGET_SECONDS:
                del self._entries[context]
        for tenant_id, suspected in list(self._suspected.items()):
            if now >= suspected.until + FORGET_SECONDS:
                del self._suspected[tenant_id]

"""What a worker decides, until the recorder has written it to the audit log. Bounded: it never waits and never raises.

A tenant can cause decisions, such as an open circuit breaker per browser context. So each action has a budget: a tenant
can neither fill the log, which would trim older records, nor keep another action out of it.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from pageworker_supervisor.audit.record import AuditEntry

WAITING_DECISIONS = 256
"""Above it, new ones are lost."""
BURST = 50
"""Records of one action at once."""
SECONDS_PER_RECORD = 30.0
"""After a burst. One action fills at most 2,880 records per day and worker."""

LostBecause = Literal["full", "too_many", "refused", "stopped"]
"""full: Redis has been away for long. too_many: the action is over its budget. refused: there is no key or no right.
stopped: the worker has ended."""


@dataclass(frozen=True)
class WorkerDecision:
    """One decision. `uid`: the user who asked for it over the control socket; None: the worker itself decided."""

    entry: AuditEntry
    at: float
    """Monotonic seconds."""
    uid: int | None = None
    lost_before: int = 0
    """Decisions before it that are not recorded, since the last one that is."""


@dataclass
class _Budget:
    """How many records of one action may be written now."""

    at: float
    left: float = BURST

    def spend(self, now: float) -> bool:
        self.left = min(BURST, self.left + (now - self.at) / SECONDS_PER_RECORD)
        self.at = now
        if self.left < 1:
            return False
        self.left -= 1
        return True


@dataclass
class Decisions:
    """Decisions in their order. `clock`: monotonic seconds."""

    clock: Callable[[], float] = time.monotonic
    lost: dict[LostBecause, int] = field(default_factory=dict)
    _waiting: deque[WorkerDecision] = field(default_factory=deque)
    _budgets: dict[str, _Budget] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _lost_since: int = 0
    _on_lost: Callable[[LostBecause], None] | None = None

    def record(
        self,
        action: str,
        target: str,
        *,
        reason: str = "",
        outcome: str = "done",
        detail: Mapping[str, str | int] | None = None,
        uid: int | None = None,
    ) -> None:
        """Record it as soon as possible. What a user asks for (`uid`) has no budget: only the worker's user may ask."""
        now = self.clock()
        budget = self._budgets.setdefault(action, _Budget(now))
        if uid is None and not budget.spend(now):
            self._lose("too_many")
        elif len(self._waiting) >= WAITING_DECISIONS:
            self._lose("full")
        else:
            entry = AuditEntry(action=action, target=target, reason=reason, outcome=outcome, detail=dict(detail or {}))
            self._waiting.append(WorkerDecision(entry, now, uid, self._lost_since))
            self._lost_since = 0
            self._tell()

    def on_lost(self, count: Callable[[LostBecause], None]) -> None:
        """Call this for each one that is lost from now on."""
        self._on_lost = count

    async def oldest(self) -> WorkerDecision:
        """The oldest one, which stays until `recorded` or `refuse`. Waits for one."""
        while not self._waiting:
            await self._changed.wait()
        return self._waiting[0]

    def recorded(self) -> None:
        """The oldest one is in the log."""
        self._waiting.popleft()
        self._tell()

    def refuse(self) -> None:
        """The oldest one cannot be recorded."""
        self._lost_since += self._waiting.popleft().lost_before
        self._lose("refused")
        self._tell()

    async def all_recorded(self) -> None:
        """Wait until none is left."""
        while self._waiting:
            await self._changed.wait()

    def stop(self) -> None:
        """The worker ends: what is left is lost."""
        while self._waiting:
            self._waiting.popleft()
            self._lose("stopped")

    def _lose(self, because: LostBecause) -> None:
        self._lost_since += 1
        self.lost[because] = self.lost.get(because, 0) + 1
        if self._on_lost is not None:
            self._on_lost(because)

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

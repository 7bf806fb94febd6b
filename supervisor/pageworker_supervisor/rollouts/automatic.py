"""The automatic decision, as every worker makes it: counts in, one look of the decision, its memory or a new entry out.

No worker is a leader. The memory of the decision is stored by compare-and-set, and so is the entry: of several workers
that look at the same time, the others begin anew with what one of them has stored.
"""

import time
from collections.abc import Callable, Mapping

import msgspec

from pageworker_supervisor.audit.decisions import Decisions
from pageworker_supervisor.config.rollout_settings import RolloutSettings
from pageworker_supervisor.queue.rollout_store import RolloutStore
from pageworker_supervisor.redis_client.errors import RedisClientError
from pageworker_supervisor.rollouts.decision import DecisionMemory, decide, decode_memory, encode_memory
from pageworker_supervisor.rollouts.errors import RolloutRefused
from pageworker_supervisor.rollouts.rollout_entry import (
    Rollout,
    RolloutAuthor,
    RolloutEntry,
    encode_entry,
    promote,
    roll_back,
    rollout_event,
)
from pageworker_supervisor.rollouts.rollout_state import RolloutEvent
from pageworker_supervisor.telemetry import log
from pageworker_supervisor.telemetry.metrics import Metrics

DECIDED_BY = "automatic decision"
TRIES = 3


class AutomaticDecision:
    """Looks at the running rollouts for one worker."""

    def __init__(
        self,
        store: RolloutStore,
        settings: Callable[[], RolloutSettings],
        metrics: Metrics,
        decisions: Decisions,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`settings()`: those that count now. `now`: Unix seconds."""
        self._store = store
        self._settings = settings
        self._metrics = metrics
        self._decisions = decisions
        self._now = now

    async def look(self, entries: Mapping[str, RolloutEntry], revision: Callable[[str], int]) -> None:
        """Look at every running rollout once. `revision(module)`: of its entry. Never raises for Redis."""
        for module, entry in entries.items():
            if entry.running is None:
                continue
            try:
                await self._look(module, entry, entry.running, revision(module))
            except RedisClientError as away:
                log.info("rollout not looked at", module=module, reason=str(away))

    async def _look(self, module: str, entry: RolloutEntry, rollout: Rollout, revision: int) -> None:
        settings, now_ms = self._settings(), round(self._now() * 1000)
        for _ in range(TRIES):
            stored = await self._store.decision(module, rollout.id)
            memory = memory_of(module, stored.state)
            found = decide(memory, await self._store.counts(module, rollout.id), rollout, settings, now_ms)
            if found.memory == memory or await self._store.decide(
                module, rollout.id, stored.number, encode_memory(found.memory)
            ):
                break
        else:
            return  # other workers look at it
        if found.event is None:
            return
        author = RolloutAuthor(DECIDED_BY, found.evidence, now_ms)
        try:
            after = _edited(entry, rollout, found.event, author, found.evidence)
        except RolloutRefused as refused:
            log.warning("rollout not decided", module=module, reason=str(refused))
            return
        event = rollout_event(module, revision + 1, after, author)
        if not await self._store.write(module, revision, encode_entry(after), event):
            return  # another worker, or an operator, was first
        self._metrics.modules.rollout_decided(found.event.value)
        log.warning("rollout decided", module=module, event=found.event.value, evidence=found.evidence)
        self._decisions.record(f"rollout.{found.event.value}", module, reason=found.evidence)


def memory_of(module: str, text: bytes) -> DecisionMemory:
    """The stored memory of a decision; a new one if it cannot be read."""
    try:
        return decode_memory(text)
    except msgspec.DecodeError as unreadable:
        # Of another version, or edited by hand. The counts are still there, and each test begins anew.
        log.warning("state of a rollout's decision not read", module=module, reason=str(unreadable))
        return DecisionMemory()


def _edited(
    entry: RolloutEntry, rollout: Rollout, event: RolloutEvent, author: RolloutAuthor, evidence: str
) -> RolloutEntry:
    if event is RolloutEvent.PROMOTE:
        return promote(entry, rollout.id, None, author)
    return roll_back(entry, rollout.id, None, author, evidence)

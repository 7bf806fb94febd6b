"""Keeps one worker on the rollout entries: it looks at Redis when it is noticed, and every POLL_SECONDS.

While Redis is away, the worker keeps the entries that it has. If Redis comes back without them, the worker whose
entries are the newest writes them again: otherwise a version that was rolled back would be chosen by itself.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import NoReturn

import msgspec

from pageworker_supervisor.queue.rollout_store import RolloutLook, RolloutStore, StoredEntry
from pageworker_supervisor.redis_client.availability import Availability
from pageworker_supervisor.rollouts.rollout_entry import RolloutEntry, decode_entry
from pageworker_supervisor.task_supervision import look_when_noticed
from pageworker_supervisor.telemetry import log

POLL_SECONDS = 10.0


class RolloutFollower:
    """The entries of one worker."""

    def __init__(
        self, store: RolloutStore, availability: Availability, changed: Callable[[], None] = lambda: None
    ) -> None:
        """`changed` is called after the entries have changed."""
        self.serial = 0
        """Of the entries that this worker has."""
        self._store = store
        self._availability = availability
        self._changed = changed
        self._entries: dict[str, RolloutEntry] = {}
        self._revisions: dict[str, int] = {}
        self._stored: Mapping[str, StoredEntry] = {}
        self._wake = asyncio.Event()

    def entry(self, module: str) -> RolloutEntry | None:
        """The entry of a module that counts now; None if it has none."""
        return self._entries.get(module)

    def revision(self, module: str) -> int:
        """The revision of that entry; 0 if it has none."""
        return self._revisions.get(module, 0)

    @property
    def entries(self) -> Mapping[str, RolloutEntry]:
        """All of them, by module."""
        return self._entries

    def notice(self) -> None:
        """Look now: something has changed."""
        self._wake.set()

    async def start(self) -> None:
        """Take the entries before the first job is claimed. Waits while Redis is away."""
        await self._look()

    async def run(self) -> NoReturn:
        """Follow until cancelled."""
        await look_when_noticed(self._wake, POLL_SECONDS, self._look)

    async def _look(self) -> None:
        while True:
            look = await self._availability.retry_until_available(lambda: self._store.look(self.serial))
            match look.action:
                case "take":
                    self._take(look)
                case "restore":
                    await self._restore()
                    continue
            return

    def _take(self, look: RolloutLook) -> None:
        before = self._entries
        # Without those that have no entry any more.
        kept = [module for module in before if module in look.entries or not look.whole]
        entries = {module: before[module] for module in kept}
        revisions = {module: self._revisions[module] for module in kept}
        for module, stored in look.entries.items():
            try:
                entries[module] = decode_entry(stored.text)
                revisions[module] = stored.revision
            except msgspec.DecodeError as unreadable:
                log.error("rollout entry not read, the one before stays", module=module, reason=str(unreadable))
        self._entries, self._revisions, self.serial = entries, revisions, look.serial
        self._stored = look.entries if look.whole else {**self._stored, **look.entries}
        for module in sorted({*before, *entries}):
            if before.get(module) != entries.get(module):
                _log_change(module, entries.get(module))
        self._changed()

    async def _restore(self) -> None:
        """Redis has lost data. The newest entries that a worker has count."""
        restored = await self._availability.retry_until_available(
            lambda: self._store.restore(self.serial, self._stored)
        )
        if restored:
            log.warning("rollouts restored in Redis, which had lost them", serial=self.serial)
        else:
            self.serial = 0  # another worker was first: take what it has written


def _log_change(module: str, entry: RolloutEntry | None) -> None:
    if entry is None:
        log.info("rollout entry is gone", module=module)
        return
    rollout = entry.rollout
    facts = (
        {
            "from": rollout.from_version,
            "to": rollout.to_version,
            "state": rollout.state.value,
            "percent": rollout.percent,
        }
        | {"who": rollout.who, "why": rollout.why, "evidence": rollout.evidence}
        if rollout is not None
        else {}
    )
    log.info("rollout entry taken", module=module, withdrawn=list(entry.withdrawn), **facts)

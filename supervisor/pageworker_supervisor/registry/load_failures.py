"""Remembers which versions of modules did not load, and which version goes on in place of each. Pure.

A runner reports that a version cannot be imported, or fails its own test. A runner is hostile: it could report that of
any module that its tenant uses. So a report counts for that tenant alone.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from itertools import islice

from pageworker_sandbox.signing import Index
from pageworker_sandbox.signing.version import precedence
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.contract.worker_report import MODULES_REPORTED, RefusedModule
from pageworker_supervisor.registry.errors import ModuleUnknown
from pageworker_supervisor.registry.resolve import Move, Release, resolve
from pageworker_supervisor.registry.version_choice import VersionWish, WorkerScope

MAX_REFUSED = 10_000
"""Versions per tenant that are remembered. Bundles need a trusted signature, so there are few."""
MOST_REASON = 200
"""Characters in the worker's report. The log has all of them."""
MAX_BEFORE = 8
"""Versions that a channel pointed to before."""


class LoadFailures:
    """Of one worker, since its start."""

    def __init__(self) -> None:
        self._refused: dict[tuple[str, str, str], str] = {}
        self._before: defaultdict[tuple[str, str], list[str]] = defaultdict(list)

    def moved(self, moves: Iterable[Move]) -> None:
        """A new index moves these channels."""
        for move in moves:
            if move.before is not None and move.after is not None:
                before = self._before[move.name, move.channel]
                before.append(move.before)
                del before[:-MAX_BEFORE]

    def refuse(self, tenant_id: str, name: str, version: str, reason: str) -> bool:
        """No job of this tenant runs on this version if a channel chose it. True: that is new."""
        key = tenant_id, name, version
        new = key not in self._refused
        if new and len(self._refused) >= MAX_REFUSED:
            del self._refused[next(iter(self._refused))]
        # The first reason stays: else a hostile runner could make this worker report at each job.
        self._refused.setdefault(key, printable(reason)[:MOST_REASON])
        return new

    @property
    def newest(self) -> tuple[RefusedModule, ...]:
        """The versions that were refused last, at most MODULES_REPORTED, for the worker's report."""
        last = islice(reversed(self._refused.items()), MODULES_REPORTED)
        return tuple(
            RefusedModule(module=name, version=version, tenant_id=tenant, reason=reason)
            for (tenant, name, version), reason in last
        )

    def is_refused(self, tenant_id: str, name: str, version: str) -> bool:
        """Whether a runner of this tenant could not load this version."""
        return (tenant_id, name, version) in self._refused

    def going_on(self, index: Index, release: Release, tenant_id: str) -> Release:
        """The release, or the one that goes on in its place if it was refused. A pinned one has no other."""
        if release.channel is None:
            return release
        rollout = release.rollout
        if rollout is not None and release.version == rollout.to_version:
            refused = self.is_refused(tenant_id, release.name, release.version)
            before = rollout.from_version if refused else None
        else:
            before = self.instead_of(tenant_id, release.name, release.version, release.channel)
        try:
            if before is not None and not self.is_refused(tenant_id, release.name, before):
                other = resolve(index, release.name, VersionWish(pin=before), WorkerScope())
                return replace(other, channel=release.channel)
        except ModuleUnknown:  # It was yanked.
            pass
        return release

    def instead_of(self, tenant_id: str, name: str, version: str, channel: str) -> str | None:
        """The version that goes on if this one is refused: the last lower one that the channel pointed to.

        None: this version is not refused, or this worker has seen no version before it.
        """
        if not self.is_refused(tenant_id, name, version):
            return None
        for before in reversed(self._before.get((name, channel), ())):
            # A channel that was moved back must not move on by itself.
            if precedence(before) < precedence(version) and not self.is_refused(tenant_id, name, before):
                return before
        return None

"""Changes the rollout entry of one module: reads the signed index, edits the entry, writes it by compare-and-set."""

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec
from msgspec import Struct

from pageworker_sandbox.signing import LIMITS, IndexedModule
from pageworker_sandbox.signing.version import precedence
from pageworker_supervisor.cli.audited import audited
from pageworker_supervisor.cli.connect import queue_of
from pageworker_supervisor.cli.local_user import user_at_host
from pageworker_supervisor.cli.output import CommandError, CommandExit
from pageworker_supervisor.cli.refused_versions import RefusedVersion
from pageworker_supervisor.cli.registry_access import RegistryAccess, configured, registry_errors
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.queue.rollout_store import FULL, RolloutStore, StoredEntry
from pageworker_supervisor.registry.index_file import fetch_index
from pageworker_supervisor.registry.version_choice import WorkerScope, channel_version, not_permitted
from pageworker_supervisor.rollouts.errors import RolloutRefused
from pageworker_supervisor.rollouts.rollout_entry import (
    NO_ENTRY,
    Rollout,
    RolloutAuthor,
    RolloutEntry,
    decode_entry,
    encode_entry,
    replacement,
    rollout_event,
)

TRIES = 5
"""Of one command, while others change the same entry."""


class RolloutAnswer(Struct, frozen=True, kw_only=True):
    """The rollout entry of a module. `revision` rises with each change; 0: it has no entry. `replaced`: version that
    jobs get in place of another. `counts`: how the jobs of the rollout ended, by version and outcome."""

    module: str
    revision: int
    rollout: Rollout | None = None
    replaced: dict[str, str] = {}
    rolled_back: tuple[str, ...] = ()
    withdrawn: tuple[str, ...] = ()
    counts: dict[str, int] = {}
    channels: dict[str, str] = {}
    """Of the signed index; empty where the command does not read it."""
    evidence_now: str = ""
    """Of `module status`: what the numbers of a running rollout say so far."""
    refused: tuple[RefusedVersion, ...] = ()
    """Of `module status`: versions that did not load."""


@dataclass(frozen=True)
class ModuleVersions:
    """A module as the signed index lists it, and as its entry changes it."""

    name: str
    listed: IndexedModule
    entry: RolloutEntry

    @property
    def permitted(self) -> frozenset[str]:
        """The versions that jobs may get."""
        yanked = {version for version, listing in self.listed.versions.items() if listing.yanked}
        return frozenset(self.listed.versions) - yanked - {*self.entry.withdrawn}

    def current(self, channel: str = "") -> str:
        """What jobs of workers on this channel (stable) get without a rollout. Raises ModuleUnknown."""
        scope = WorkerScope((channel, "stable")) if channel else WorkerScope()
        return replacement(channel_version(self.name, self.listed, scope), self.entry.replaced, self.permitted)

    def before(self, version: str) -> str | None:
        """The highest permitted version below this one that was not rolled back."""
        lower = [each for each in self.permitted - {*self.entry.rolled_back} if precedence(each) < precedence(version)]
        return max(lower, key=precedence, default=None)


Edit = Callable[[ModuleVersions, str, RolloutAuthor], RolloutEntry]
"""Gets the versions, an id for a new rollout, and who changes it. Raises RolloutRefused, ModuleError."""


async def change_entry(
    place: RegistryAccess, command: str, module: str, reason: str | None, edit: Edit, detail: Mapping[str, str | int]
) -> RolloutAnswer:
    """Edit the entry of a module, and record it in the audit log. Raises CommandError."""
    with registry_errors():
        async with queue_of(configured(place.config), probed=False) as (_, queue, settings):
            listed = await listed_module(place, module)
            async with audited(queue, settings, command, module, reason, detail) as action:
                answer = await _write(queue.rollouts, module, listed, edit, reason or "")
                action.outcome = f"done: revision {answer.revision}"
                return answer


async def listed_module(place: RegistryAccess, module: str) -> IndexedModule:
    """The module as the signed index lists it. Raises CommandError, ModuleError, KeyUnusable, ConfigInvalid."""
    read = await fetch_index(place.store(), place.trust(), LIMITS)
    listed = read.index.modules.get(module) if read is not None else None
    if listed is None:
        raise CommandError(
            f"the registry has no module {printable(module)}",
            "`workerctl module list` shows those that it has.",
            CommandExit.REFUSED,
        )
    return listed


def entry_of(stored: StoredEntry | None) -> RolloutEntry:
    """The entry that is stored. Raises CommandError if it cannot be read."""
    try:
        return NO_ENTRY if stored is None else decode_entry(stored.text)
    except msgspec.DecodeError as unreadable:
        raise CommandError(
            f"the entry of the module in Redis cannot be read: {printable(unreadable)}",
            "Correct or delete its field in the hash `rollouts` (docs/redis-keys.md).",
            CommandExit.REFUSED,
        ) from unreadable


def answer_of(
    module: str,
    revision: int,
    entry: RolloutEntry,
    counts: Mapping[str, int] | None = None,
    channels: Mapping[str, str] | None = None,
    evidence_now: str = "",
) -> RolloutAnswer:
    """What commands print of an entry."""
    return RolloutAnswer(
        module=module,
        revision=revision,
        rollout=entry.rollout,
        replaced=entry.replaced,
        rolled_back=entry.rolled_back,
        withdrawn=entry.withdrawn,
        counts=dict(sorted((counts or {}).items())),
        channels=dict(channels or {}),
        evidence_now=evidence_now,
    )


async def _write(store: RolloutStore, module: str, listed: IndexedModule, edit: Edit, why: str) -> RolloutAnswer:
    author = RolloutAuthor(user_at_host(), why, round(time.time() * 1000))
    rollout_id = secrets.token_hex(8)
    for _ in range(TRIES):
        stored = await store.entry(module)
        versions = ModuleVersions(module, listed, entry_of(stored))
        try:
            entry = edit(versions, rollout_id, author)
        except RolloutRefused as refused:
            raise CommandError(printable(refused), printable(refused.mend), CommandExit.REFUSED) from refused
        if wrong := not_permitted(listed, entry):
            raise CommandError(
                f"the signed index does not permit {module} {', '.join(wrong)}",
                "Name versions that `workerctl module list` shows, and that are not yanked.",
                CommandExit.REFUSED,
            )
        base = stored.revision if stored is not None else 0
        revision = await store.write(module, base, encode_entry(entry), rollout_event(module, base + 1, entry, author))
        if revision == FULL:
            raise CommandError("there are too many rollout entries", "Delete some in Redis.", CommandExit.REFUSED)
        if revision:
            return answer_of(module, revision, entry)
    raise CommandError("others change the same entry all the time", "Run the command again.")

"""Which version of a module a job gets. Pure.

In this order: the job's own pin, the tenant's pin, then the channel of the worker (that of its first tag with one,
else `modules.channel`, else `stable`), changed by what the rollout entry says. An entry that names a version which the
signed index does not permit counts as not there.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Literal

from pageworker_sandbox.signing import IndexedModule
from pageworker_supervisor.config.flags import percentile
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.registry.errors import ModuleUnknown
from pageworker_supervisor.rollouts.rollout_entry import Rollout, RolloutEntry, replacement

STABLE = "stable"

Reason = Literal["job's pin", "tenant's pin", "channel", "replacement", "rollout"]


@dataclass(frozen=True)
class WorkerScope:
    """What a worker follows. `channels`: the first one that a module has counts; `stable` is always the last."""

    channels: tuple[str, ...] = (STABLE,)
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class VersionWish:
    """Who asks for a version. `kept`: the version of the job's last attempt."""

    pin: str | None = None
    tenant_pin: str | None = None
    job: JobRef | None = None
    kept: str | None = None


@dataclass(frozen=True)
class VersionChoice:
    """The version, and what decided it. `rollout`: the running one of which the job is part, in either version.
    `channel`: the one that the job follows; None for a pin."""

    version: str
    reason: Reason
    rollout: Rollout | None = None
    channel: str | None = None


def scope_of(tags: tuple[str, ...], tag_channels: Mapping[str, str], channel: str) -> WorkerScope:
    """The scope of a worker: the channel of its first tag with one comes before `channel`."""
    of_tags = [tag_channels[tag] for tag in tag_channels if tag in tags][:1]
    return WorkerScope(tuple(dict.fromkeys((*of_tags, channel, STABLE))), tags)


def choose_version(
    name: str, listed: IndexedModule, wish: VersionWish, scope: WorkerScope, entry: RolloutEntry | None = None
) -> VersionChoice:
    """The version that a job gets. Raises ModuleUnknown."""
    if wish.pin is not None:
        choice = VersionChoice(wish.pin, "job's pin")
    elif wish.tenant_pin is not None:
        choice = VersionChoice(wish.tenant_pin, "tenant's pin")
    else:
        channel = followed_channel(name, listed, scope)
        choice = replace(_followed(name, listed.channels[channel], listed, wish, scope, entry), channel=channel)
    _check(name, listed, choice, entry)
    return choice


def not_permitted(listed: IndexedModule | None, entry: RolloutEntry) -> tuple[str, ...]:
    """Versions that an entry may choose and that the signed index does not permit."""
    return tuple(sorted(entry.versions - _permitted(listed)))


def channel_version(name: str, listed: IndexedModule, scope: WorkerScope) -> str:
    """The version to which the channel of a worker points. Raises ModuleUnknown."""
    return listed.channels[followed_channel(name, listed, scope)]


def followed_channel(name: str, listed: IndexedModule, scope: WorkerScope) -> str:
    """The channel of the module that a worker follows. Raises ModuleUnknown."""
    for channel in scope.channels:
        if channel in listed.channels:
            return channel
    there = ", ".join(sorted(listed.channels)) or "none"
    wanted = " nor ".join(dict.fromkeys((scope.channels[0], STABLE)))
    raise ModuleUnknown(f"{name} has neither the channel {wanted} (it has: {there})")


def _followed(
    name: str, pointed: str, listed: IndexedModule, wish: VersionWish, scope: WorkerScope, entry: RolloutEntry | None
) -> VersionChoice:
    if entry is None:
        return VersionChoice(pointed, "channel")
    permitted = _permitted(listed) - {*entry.withdrawn}
    version = replacement(pointed, entry.replaced, permitted)
    rollout = entry.running
    if rollout is None or not _takes_part(rollout, version, permitted, scope):
        return VersionChoice(version, "channel" if version == pointed else "replacement")
    if wish.kept in (rollout.from_version, rollout.to_version):
        return VersionChoice(wish.kept, "rollout", rollout)
    in_share = wish.job is not None and share_of(name, rollout, wish.job) < rollout.percent
    return VersionChoice(rollout.to_version if in_share else rollout.from_version, "rollout", rollout)


def share_of(name: str, rollout: Rollout, job: JobRef) -> float:
    """Where a job stands among all, from 0 to below 100: below the percentage it gets the new version. Each rollout
    orders the jobs differently, and a larger share keeps the jobs of a smaller one."""
    return percentile(f"{name}@{rollout.to_version}", job.tenant_id, job.job_id)


def _takes_part(rollout: Rollout, version: str, permitted: frozenset[str], scope: WorkerScope) -> bool:
    return (
        version == rollout.from_version
        and {rollout.from_version, rollout.to_version} <= permitted
        and (not rollout.tags or bool({*rollout.tags} & {*scope.tags}))
        and rollout.channel in ("", scope.channels[0])
    )


def _permitted(listed: IndexedModule | None) -> frozenset[str]:
    versions = listed.versions.items() if listed is not None else ()
    return frozenset(version for version, listing in versions if not listing.yanked)


def _check(name: str, listed: IndexedModule, choice: VersionChoice, entry: RolloutEntry | None) -> None:
    version = choice.version
    named = "; the pin of the tenant names it" if choice.reason == "tenant's pin" else ""
    listing = listed.versions.get(version)
    if listing is None:
        raise ModuleUnknown(f"{name} has no version {version}{''.join(_near(version, listed))}{named}")
    if listing.yanked:
        raise ModuleUnknown(f"{name} {version} was yanked by its publisher{named}")
    if entry is not None and version in entry.withdrawn:
        raise ModuleUnknown(f"{name} {version} was yanked by an operator{named}")


def _near(version: str, listed: IndexedModule) -> Iterator[str]:
    yield from (f"; did you mean {near}?" for near in get_close_matches(version, listed.versions, n=1, cutoff=0.6))

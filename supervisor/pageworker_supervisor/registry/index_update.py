"""Computes the next index of a registry from an edit, and refuses edits that are not allowed. Pure."""

from collections.abc import Callable
from datetime import datetime, timedelta

from msgspec import structs

from pageworker_sandbox.signing import Index, IndexedModule, IndexedVersion, VerifiedBundle
from pageworker_sandbox.signing.version import precedence
from pageworker_supervisor.registry.errors import RegistryRefused

EXPIRY_DAYS = 90.0

Edit = Callable[[dict[str, IndexedModule]], dict[str, IndexedModule]]


def next_index(before: Index | None, edit: Edit, now: datetime, expiry_days: float = EXPIRY_DAYS) -> Index:
    """The index after an edit, with a new serial and expiry. Raises RegistryRefused.

    A serial is at least the time in seconds, so that serials rise even if the old index was lost.
    """
    serial = max(before.serial + 1 if before else 1, int(now.timestamp()))
    expires = (now + timedelta(days=expiry_days)).replace(microsecond=0)
    return Index(serial=serial, expires=expires, modules=edit(dict(before.modules) if before else {}))


def renew(modules: dict[str, IndexedModule]) -> dict[str, IndexedModule]:
    """The edit that changes nothing but serial and expiry."""
    return modules


def add(bundle: VerifiedBundle, channel: str, signatures: int = 1) -> Edit:
    """The edit that lists a bundle with this many signature files, and points a channel to it."""
    listing = IndexedVersion(sha256=bundle.sha256, bytes=len(bundle.data), signatures=signatures)

    def edit(modules: dict[str, IndexedModule]) -> dict[str, IndexedModule]:
        listed = modules.get(bundle.name, IndexedModule())
        there = listed.versions.get(bundle.version)
        if there is not None and there.sha256 != listing.sha256:
            raise RegistryRefused(
                f"{bundle.name} {bundle.version} is published already, with other bytes",
                "a published version never changes: raise `version` in module.toml",
            )
        if there is not None and there.yanked:
            raise RegistryRefused(f"{bundle.name} {bundle.version} was yanked", "publish a new version")
        _refuse_downgrade(bundle, channel, listed.channels.get(channel))
        versions = {**listed.versions, bundle.version: listing}
        return {
            **modules,
            bundle.name: IndexedModule(versions=versions, channels={**listed.channels, channel: bundle.version}),
        }

    return edit


def point(name: str, channel: str, version: str) -> Edit:
    """The edit that points a channel to a listed version, higher or lower."""

    def edit(modules: dict[str, IndexedModule]) -> dict[str, IndexedModule]:
        listed = _listed(modules, name, version)
        if listed.versions[version].yanked:
            raise RegistryRefused(f"{name} {version} was yanked", "choose another version")
        return {**modules, name: structs.replace(listed, channels={**listed.channels, channel: version})}

    return edit


def yank(name: str, version: str) -> Edit:
    """The edit that withdraws a version: no worker runs it any more."""

    def edit(modules: dict[str, IndexedModule]) -> dict[str, IndexedModule]:
        listed = _listed(modules, name, version)
        following = sorted(channel for channel, meant in listed.channels.items() if meant == version)
        if following:
            raise RegistryRefused(
                f"channel {', '.join(following)} of {name} points to {version}",
                f"first point it to another version: `workerctl module channel set {name} {following[0]} VERSION`",
            )
        taken = structs.replace(listed.versions[version], yanked=True)
        return {**modules, name: structs.replace(listed, versions={**listed.versions, version: taken})}

    return edit


def _listed(modules: dict[str, IndexedModule], name: str, version: str) -> IndexedModule:
    listed = modules.get(name)
    if listed is None or version not in listed.versions:
        there = ", ".join(listed.versions) if listed else ", ".join(modules)
        raise RegistryRefused(f"the registry has no {name} {version}", f"it has: {there or 'nothing'}")
    return listed


def _refuse_downgrade(bundle: VerifiedBundle, channel: str, current: str | None) -> None:
    if current is not None and precedence(bundle.version) < precedence(current):
        raise RegistryRefused(
            f"{bundle.version} is lower than {current}, the current version of channel {channel} of {bundle.name}",
            f"publish to another channel, then run "
            f"`workerctl module channel set {bundle.name} {channel} {bundle.version}`",
        )

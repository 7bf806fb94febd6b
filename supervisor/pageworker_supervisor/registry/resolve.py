"""Resolves module names to versions, checks who may run one, and compares two indexes. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase

from pageworker_sandbox.signing import Index, IndexedModule, VerifiedBundle
from pageworker_supervisor.registry.errors import ModuleUnknown, TenantNotAllowed
from pageworker_supervisor.registry.index_file import bundle_file

STABLE = "stable"


@dataclass(frozen=True)
class Release:
    """One version of one module, as the index lists it. `sha256` is hex."""

    name: str
    version: str
    sha256: str
    bytes: int

    @property
    def file(self) -> str:
        """File name of its bundle in the registry."""
        return bundle_file(self.name, self.version)


@dataclass(frozen=True)
class Move:
    """A channel that points to another version. None: the channel did not exist before, or does not exist any more."""

    name: str
    channel: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Changes:
    """Differences between two indexes. Releases are `name@version`."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    moved: tuple[Move, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.moved)


def resolve(index: Index, name: str, pin: str | None, channel: str = STABLE) -> Release:
    """The release for `name` or `name@pin`. A module without this channel is taken from `stable`.

    Raises ModuleUnknown, which names a similar one if there is one.
    """
    listed = index.modules.get(name)
    if listed is None:
        raise ModuleUnknown(f"there is no module {name}{_near(name, index.modules)}")
    version = pin or _follow(name, listed, channel)
    listing = listed.versions.get(version)
    if listing is None:
        raise ModuleUnknown(f"{name} has no version {version}{_near(version, listed.versions)}")
    if listing.yanked:
        raise ModuleUnknown(f"{name} {version} was yanked by its publisher")
    return Release(name, version, listing.sha256, listing.bytes)


def check_tenant(bundle: VerifiedBundle, tenant_id: str) -> None:
    """Raises TenantNotAllowed unless a glob of the module's `tenants` matches."""
    if not any(fnmatchcase(tenant_id, glob) for glob in bundle.manifest.tenants):
        raise TenantNotAllowed(f"{bundle.name} {bundle.version} does not allow tenant {tenant_id}")


def changes(before: Index | None, after: Index) -> Changes:
    """What the new index has added, removed and moved."""
    old, new = _releases(before), _releases(after)
    channels_old, channels_new = _channels(before), _channels(after)
    moved = tuple(
        Move(*key, channels_old.get(key), channels_new.get(key))
        for key in sorted(channels_old.keys() | channels_new.keys())
        if channels_old.get(key) != channels_new.get(key)
    )
    return Changes(tuple(sorted(new - old)), tuple(sorted(old - new)), moved)


def _follow(name: str, listed: IndexedModule, channel: str) -> str:
    version = listed.channels.get(channel) or listed.channels.get(STABLE)
    if version is None:
        there = ", ".join(sorted(listed.channels)) or "none"
        raise ModuleUnknown(f"{name} has neither the channel {channel} nor {STABLE} (it has: {there})")
    return version


def _near(name: str, names: Iterable[str]) -> str:
    near = get_close_matches(name, names, n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""


def _releases(index: Index | None) -> set[str]:
    modules = index.modules if index else {}
    return {
        f"{name}@{version}"
        for name, listed in modules.items()
        for version, listing in listed.versions.items()
        if not listing.yanked
    }


def _channels(index: Index | None) -> dict[tuple[str, str], str]:
    modules = index.modules if index else {}
    return {
        (name, channel): version for name, listed in modules.items() for channel, version in listed.channels.items()
    }

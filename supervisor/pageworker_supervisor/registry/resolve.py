"""Resolves module names to releases, checks who may run one, and compares two indexes. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches

from pageworker_sandbox.signing import Index, VerifiedBundle
from pageworker_sandbox.signing.key_scope import matches
from pageworker_supervisor.registry.errors import ModuleNotAllowed, ModuleUnknown, TenantNotAllowed
from pageworker_supervisor.registry.index_file import bundle_file
from pageworker_supervisor.registry.version_choice import STABLE, VersionWish, WorkerScope, choose_version
from pageworker_supervisor.rollouts.rollout_entry import Rollout, RolloutEntry

__all__ = ["STABLE", "Changes", "Move", "Release", "changes", "check_tenant", "resolve"]


@dataclass(frozen=True)
class Release:
    """One version of one module, as the index lists it. `sha256` is hex. `rollout`: the running one of which the job
    that asked is part, in either version.

    `signatures`: number of its signature files. `channel`: the one that led to it; None: a pin names the version.
    """

    name: str
    version: str
    sha256: str
    bytes: int
    rollout: Rollout | None = None
    signatures: int = 1
    channel: str | None = field(default=None, compare=False)

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


def resolve(
    index: Index, name: str, wish: VersionWish, scope: WorkerScope, entry: RolloutEntry | None = None
) -> Release:
    """The release that a job gets. `entry`: the module's rollout entry.

    Raises ModuleUnknown, which names a similar module if there is one.
    """
    listed = index.modules.get(name)
    if listed is None:
        raise ModuleUnknown(f"there is no module {name}{_near(name, index.modules)}")
    choice = choose_version(name, listed, wish, scope, entry)
    listing = listed.versions[choice.version]
    return Release(
        name,
        choice.version,
        listing.sha256,
        listing.bytes,
        choice.rollout,
        listing.signatures,
        choice.channel,
    )


def check_tenant(bundle: VerifiedBundle, tenant_id: str) -> None:
    """Raises TenantNotAllowed unless a glob of the module's `tenants` matches."""
    if not matches(tenant_id, bundle.manifest.tenants):
        raise TenantNotAllowed(f"{bundle.name} {bundle.version} does not allow tenant {tenant_id}")


def check_allowed(name: str, tenant_id: str, allowed: Iterable[str]) -> None:
    """Raises ModuleNotAllowed unless one of the operator's globs for this tenant matches the module's name."""
    if not matches(name, allowed):
        raise ModuleNotAllowed(f"the configuration of this worker does not let tenant {tenant_id} run {name}")


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

"""The commands of `workerctl module` that read or change a registry."""

import asyncio
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from pageworker_sandbox.signing import (
    LIMITS,
    Index,
    PackedBundle,
    UntrustedBundle,
    VerifiedBundle,
    read_bundle,
    sign,
    verify_provenance,
)
from pageworker_supervisor.cli.answers import IndexAnswer, PublishedAnswer
from pageworker_supervisor.cli.bundle_file import (
    new_provenance,
    read_limited,
    read_provenance,
    read_signed,
    signature_of,
    write_provenance,
)
from pageworker_supervisor.cli.output import CommandError, Json, note, show, table
from pageworker_supervisor.cli.registry_access import RegistryAccess, RegistryChange, registry_errors
from pageworker_supervisor.registry.index_file import fetch_index
from pageworker_supervisor.registry.packing import pack
from pageworker_supervisor.registry.registry import utc_now
from pageworker_supervisor.registry.resolve import STABLE


async def publish(
    bundle: Path,
    *,
    change: RegistryChange,
    channel: str = STABLE,
    sign_first: Annotated[
        bool,
        Parameter(
            name="--sign",
            negative=(),
            help="First sign the bundle with the same key, so that you type its password once. A folder always is.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, Parameter(name="--dry-run", negative=(), help="Change nothing, and print what would happen.")
    ] = False,
    json: Json = False,
) -> None:
    """Publish a module: its folder, or a bundle. Signs the new index of the registry, which lists it.

    A folder is packed and signed first, with one use of the key. The index is the signed list of all versions and
    channels of a registry. A registry folder that does not exist is created. Workers take the new version within
    `modules.refresh_seconds`.

    Example: `workerctl module publish acme.prices --key release.key --registry /srv/registry`.

    Parameters
    ----------
    bundle
        Folder with a module.toml, or a bundle file, as `workerctl module pack` writes it.
    channel
        Channel that points to this version from now on.
    """
    with registry_errors():
        found = await asyncio.to_thread(_found, bundle, sign_first)
        key = change.open_key()
        publisher = change.publisher(key)
        files = found if isinstance(found, UntrustedBundle) else UntrustedBundle(found.data, sign(found, key))
        published = await publisher.verified(files)
        provenance = None if bundle.is_dir() or sign_first else read_provenance(bundle)
        if provenance is not None:
            verify_provenance(provenance, published, publisher.trust)
        if dry_run:
            before, index = await publisher.preview(published, channel)
        else:
            target = f"{published.name}@{published.version} as {channel}"
            async with change.recorded("module publish", key, target, sha256=published.sha256) as action:
                before, _ = await publisher.preview(published, channel)
                if bundle.is_dir():
                    provenance = new_provenance(published, key)
                elif sign_first:
                    signature_of(bundle).write_bytes(files.signature)
                    provenance = write_provenance(bundle, published, key)
                index = await publisher.add(published, files, channel, provenance)
                action.outcome = outcome_of(index)
    old = _version(before, published.name, channel)
    facts = PublishedAnswer(
        published.name, published.version, channel, index.serial, index.expires, before=old, dry_run=dry_run
    )
    moved = "" if old is None else f", which {'points' if dry_run else 'pointed'} to {old}"
    would = f"would publish ({len(published.data)} bytes, sha256 {published.sha256})" if dry_run else "published"
    told = f"{would} {published.name} {published.version} to {channel}{moved}; {index_text(index)}"
    show(facts, told + _next_steps(index, published, channel), json)


def _found(path: Path, sign_first: bool) -> PackedBundle | UntrustedBundle:
    """A bundle that is to be signed, or one with its signature. Raises as packing and reading do."""
    if path.is_dir():
        return pack(path)
    return read_bundle(read_limited(path, LIMITS.bundle_bytes)) if sign_first else read_signed(path)


def _next_steps(index: Index, published: VerifiedBundle, channel: str) -> str:
    """How a version that is not on `stable` gets to the jobs of those workers."""
    if channel == STABLE or _version(index, published.name, STABLE) is None:
        return ""
    name, version = published.name, published.version
    return (
        f"\n`workerctl module rollout {name} {version} --percent 10` gives it to a share of the jobs of {STABLE}, "
        f"`workerctl module channel set {name} {STABLE} {version}` to all."
    )


def _version(index: Index | None, name: str, channel: str) -> str | None:
    """What a channel of a module points to."""
    listed = index.modules.get(name) if index else None
    return listed.channels.get(channel) if listed else None


async def list_modules(*, place: RegistryAccess | None = None, json: Json = False) -> None:
    """List the modules of a registry with their versions and channels.

    Example: `workerctl module list --registry /srv/registry`.
    """
    place = place or RegistryAccess()
    with registry_errors():
        read = await fetch_index(place.store(), place.trust(), LIMITS)
    if read is None:
        raise CommandError("the registry has no index", "Publish a module with `workerctl module publish`.")
    index = read.index
    if index.expires <= utc_now():
        note("Warning: the index has expired, and workers refuse it. Run `workerctl module refresh-index`.")
    rows = [
        (
            name,
            version,
            ", ".join(sorted(channel for channel, points_to in module.channels.items() if points_to == version)),
            listing.bytes,
            "yanked" if listing.yanked else "",
        )
        for name, module in sorted(index.modules.items())
        for version, listing in module.versions.items()
    ]
    text = table(("MODULE", "VERSION", "CHANNELS", "BYTES", ""), rows) if rows else "The registry has no modules."
    show(index, f"{text}\n{index_text(index)}", json)


channels = App(name="channel", help="Change which version a channel, such as stable, points to.")


@channels.command(name="set")
async def set_channel(name: str, channel: str, version: str, *, change: RegistryChange, json: Json = False) -> None:
    """Point a channel of a module to another version, higher or lower.

    Example: `workerctl module channel set acme.prices stable 0.2.0 --key release.key`.

    Parameters
    ----------
    name
        Name of the module.
    channel
        Name of the channel, such as stable or canary.
    version
        Published version that the channel points to from now on.
    """
    with registry_errors():
        key = change.open_key()
        publisher = change.publisher(key)
        async with change.recorded("module channel set", key, f"{name}@{version} as {channel}") as action:
            index = await publisher.point(name, channel, version)
            action.outcome = outcome_of(index)
    facts = PublishedAnswer(name, version, channel, index.serial, index.expires)
    show(facts, f"{channel} of {name} is {version}; {index_text(index)}", json)


async def refresh_index(*, change: RegistryChange, json: Json = False) -> None:
    """Sign the index of a registry again: same versions and channels, next serial number, new expiry.

    Run it weekly, for example from cron: workers refuse an expired index.

    Example: `workerctl module refresh-index --key release.key --registry /srv/registry`.
    """
    with registry_errors():
        key = change.open_key()
        publisher = change.publisher(key)
        async with change.recorded("module refresh-index", key) as action:
            index = await publisher.change()
            action.outcome = outcome_of(index)
    show(IndexAnswer(index.serial, index.expires), index_text(index), json)


def outcome_of(index: Index) -> str:
    """For the audit log."""
    return f"done: index {index.serial}"


def index_text(index: Index) -> str:
    """Serial and expiry, for people."""
    return f"index {index.serial}, expires {index.expires:%Y-%m-%d}"

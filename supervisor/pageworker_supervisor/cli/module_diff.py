"""`workerctl module diff`: what differs between two versions of a module."""

import asyncio
import hashlib
from collections.abc import Iterator
from pathlib import Path

from pageworker_sandbox.signing import LIMITS, PackedBundle, Untrusted, read_bundle
from pageworker_supervisor.cli.bundle_file import read_limited
from pageworker_supervisor.cli.output import CommandError, Json, show
from pageworker_supervisor.cli.registry_access import RegistryAccess, registry_errors
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.registry.bundle_difference import BundleDifference, bundle_difference
from pageworker_supervisor.registry.index_file import fetch_index
from pageworker_supervisor.registry.packing import pack
from pageworker_supervisor.registry.resolve import resolve
from pageworker_supervisor.registry.version_choice import VersionWish, WorkerScope


async def diff(before: str, after: str, *, place: RegistryAccess | None = None, json: Json = False) -> None:
    """Show what differs between two versions of a module: keys of module.toml, schemas, files.

    Each version is a folder, a bundle file, or NAME@VERSION of a registry; NAME alone is the version of its channel
    `stable`. Signatures of files are not checked: use `workerctl module verify`.

    Example: `workerctl module diff acme.prices@0.1.0 acme.prices --registry /srv/registry --trusted release.pub`.

    Parameters
    ----------
    before
        The version to compare with.
    after
        The version that is compared.
    """
    place = place or RegistryAccess()
    with registry_errors():
        found = bundle_difference(await _bundle(before, place), await _bundle(after, place))
    show(found, "\n".join(_lines(found)), json)


async def _bundle(named: str, place: RegistryAccess) -> PackedBundle:
    path = Path(named)
    if path.is_dir():
        return await asyncio.to_thread(pack, path)
    if path.is_file():
        return read_bundle(read_limited(path, LIMITS.bundle_bytes))
    if "/" in named or named.endswith(".zip"):
        raise CommandError(f"{printable(named)}: no such folder or file", "Give a folder, a bundle or NAME@VERSION.")
    return await _published(named, place)


async def _published(named: str, place: RegistryAccess) -> PackedBundle:
    store = place.store()
    read = await fetch_index(store, place.trust(), LIMITS)
    if read is None:
        raise CommandError("the registry has no index", "Publish a module with `workerctl module publish`.")
    name, _, version = named.partition("@")
    release = resolve(read.index, name, VersionWish(pin=version or None), WorkerScope())
    data = (await store.get(release.file, LIMITS.bundle_bytes)).data
    if hashlib.sha256(data).hexdigest() != release.sha256:
        raise Untrusted(f"{release.file} is not the file that the index lists")
    return read_bundle(data)


def _lines(found: BundleDifference) -> Iterator[str]:
    yield printable(f"{found.before} → {found.after}")
    parts = (("manifest", found.manifest), ("input", found.input_schema), ("output", found.output_schema))
    for part, differences in parts:
        for each in differences:
            yield printable(f"{part}: {each.key}: {_side(each.before)} → {_side(each.after)}")
    for file in found.files:
        sizes = " → ".join(f"{size}" for size in (file.before_bytes, file.after_bytes) if size is not None)
        yield printable(f"file: {file.change}: {file.file} ({sizes} bytes)")
    if found.same:
        yield "No differences."


def _side(value: str | None) -> str:
    return "(not there)" if value is None else value

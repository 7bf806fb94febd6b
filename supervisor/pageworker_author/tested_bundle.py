"""The bundle of a test's run: the module, and what records or answers its requests."""

from importlib import resources

from pageworker_author.derived_bundle import derive, numbered_version
from pageworker_author.har_file import replay_files
from pageworker_sandbox.signing import PackedBundle

PACKAGE = "pageworker_har"
"""In the bundle."""
ENTRY = """\
# Written by `workerctl module test`.
import {place} as module

from {package}.runtime import {mode}

handler = {mode}(module, "{function}")
"""


def recording_bundle(packed: PackedBundle, number: int) -> PackedBundle:
    """Run `number` of a module: its requests go out, and are recorded. Raises BundleMalformed."""
    return _with_entry(packed, number, "recorded", {}, packed.manifest.egress)


def replaying_bundle(packed: PackedBundle, number: int, har: bytes | None) -> PackedBundle:
    """Run `number` of a module: its requests are answered from a HAR file. Nothing goes out, whatever asks for it.

    Raises HarFileUnusable, BundleMalformed.
    """
    return _with_entry(packed, number, "replayed", replay_files(har), ())


def _with_entry(
    packed: PackedBundle, number: int, mode: str, files: dict[str, bytes], egress: tuple[str, ...]
) -> PackedBundle:
    place, _, function = packed.manifest.entrypoint.partition(":")
    entry = ENTRY.format(place=place, package=PACKAGE, mode=mode, function=function)
    runtime = resources.files(__package__).joinpath("har_runtime.py").read_bytes()
    added = {"__init__.py": entry.encode(), "runtime.py": runtime, **files}
    return derive(
        packed,
        {
            "version": numbered_version(packed.version, number),
            "entrypoint": f"{PACKAGE}:handler",
            "egress": list(egress),
        },
        {f"{PACKAGE}/{name}": data for name, data in added.items()},
    )

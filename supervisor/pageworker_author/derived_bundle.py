"""Makes a bundle from another one: the same files, and another manifest. Pure.

A runner keeps a version that it was given, and a registry refuses other bytes for one. So each run of changed sources
has a version of its own.
"""

import tomllib
from collections.abc import Mapping
from typing import Any

from pageworker_demo.toml import toml_text
from pageworker_sandbox.signing import PackedBundle, read_bundle
from pageworker_sandbox.signing.archive import read_archive, write_archive
from pageworker_sandbox.signing.manifest import BYTE_ORDER_MARK, FILE


def numbered_version(version: str, number: int) -> str:
    """`0.1.0-dev.3` of version 0.1.0: higher than `0.1.0-dev.2`, and lower than the version that is published."""
    base, _, _ = version.partition("+")
    return f"{base}-dev.{number}"


def derive(packed: PackedBundle, changes: Mapping[str, Any], files: Mapping[str, bytes] | None = None) -> PackedBundle:
    """The bundle with these keys of its manifest changed, and with `files` added. Raises BundleMalformed."""
    sources = read_archive(packed.data)
    manifest = tomllib.loads(sources[FILE].decode().removeprefix(BYTE_ORDER_MARK))
    text = toml_text({**manifest, **changes})
    return read_bundle(write_archive({**sources, **(files or {}), FILE: text.encode()}))

"""The registry cache of a worker on disk: bundles by SHA-256, the last accepted index, the highest serial.

Readers verify everything again. The calls block: run them in a thread.
"""

import contextlib
import hashlib
import os
import secrets
from collections.abc import Collection
from pathlib import Path

import msgspec

from pageworker_sandbox.signing import LIMITS, UntrustedBundle, UntrustedIndex

SERIAL = "serial"
INDEX = "index.json"
SIGNATURE = ".minisig"


class Cache:
    """One folder per registry, so that serials of two registries are never compared."""

    def __init__(self, state_dir: Path, source: str | Path) -> None:
        self._folder = state_dir / hashlib.sha256(str(source).encode()).hexdigest()[:16]
        self._bundles = self._folder / "bundles"

    def make(self) -> None:
        """Create the folders. Raises OSError."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._bundles.mkdir(mode=0o700, exist_ok=True)

    def highest_serial(self) -> int:
        """The highest serial that this worker ever accepted, or 0. Raises OSError, msgspec.DecodeError."""
        untrusted = _read(self._folder / SERIAL, 64)
        return 0 if untrusted is None else msgspec.json.decode(untrusted, type=int)

    def load_index(self) -> UntrustedIndex | None:
        """The last accepted index, not verified. None if there is none."""
        data = _read(self._folder / INDEX, LIMITS.index_bytes)
        signature = _read(self._folder / (INDEX + SIGNATURE), LIMITS.index_bytes)
        return None if data is None or signature is None else UntrustedIndex(data, signature)

    def save_index(self, index: UntrustedIndex, serial: int) -> None:
        """Store serial and index durably. The serial comes first: after a power cut, no older index may be accepted.

        Raises OSError.
        """
        _write(self._folder / SERIAL, str(serial).encode())
        _write(self._folder / INDEX, index.data)
        _write(self._folder / (INDEX + SIGNATURE), index.signature)

    def load_bundle(self, sha256: str) -> UntrustedBundle | None:
        """A bundle that was stored before, not verified. None if there is none."""
        path = self._bundles / f"{sha256}.zip"
        data = _read(path, LIMITS.bundle_bytes)
        signature = _read(path.with_name(path.name + SIGNATURE), LIMITS.index_bytes)
        return None if data is None or signature is None else UntrustedBundle(data, signature)

    def save_bundle(self, sha256: str, bundle: UntrustedBundle) -> None:
        """Store a bundle durably. Raises OSError."""
        path = self._bundles / f"{sha256}.zip"
        _write(path.with_name(path.name + SIGNATURE), bundle.signature)
        _write(path, bundle.data)

    def keep_only(self, sha256s: Collection[str]) -> None:
        """Delete bundles that the index does not list any more, and files that a crash left half written."""
        for path in self._bundles.iterdir():
            if path.name.partition(".")[0] not in sha256s or path.suffix == ".part":
                path.unlink(missing_ok=True)


def _read(path: Path, most_bytes: int) -> bytes | None:
    try:
        with path.open("rb") as file:
            untrusted = file.read(most_bytes + 1)
    except FileNotFoundError:
        return None
    return untrusted if len(untrusted) <= most_bytes else None


def _write(path: Path, data: bytes) -> None:
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            part.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

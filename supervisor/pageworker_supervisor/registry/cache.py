"""The registry cache of a worker on disk: bundles by SHA-256, the last accepted index, the highest serial.

Readers verify everything again. The calls block: run them in a thread.
"""

import contextlib
import hashlib
import os
import secrets
import time
from collections.abc import Collection
from datetime import datetime
from pathlib import Path

import msgspec

from pageworker_sandbox.signing import LIMITS, UntrustedBundle, UntrustedIndex
from pageworker_sandbox.signing.limits import MAX_SIGNATURE_BYTES, MOST_SIGNATURES
from pageworker_supervisor.registry.index_file import signature_file

SERIAL = "serial"
CLOCK = "clock"
CACHE_BYTES = 1024**3
BEGUN = ".begun"
"""Ending of a bundle whose download broke off."""
INDEX = "index.json"
SIGNATURE = ".minisig"


class Cache:
    """One folder per registry, so that serials of two registries are never compared."""

    def __init__(self, state_dir: Path, source: str | Path, most_bytes: int = CACHE_BYTES) -> None:
        """`most_bytes`: of all bundles. Above it, those that were not read for the longest time are deleted."""
        self._most_bytes = most_bytes
        self._folder = state_dir / hashlib.sha256(str(source).encode()).hexdigest()[:16]
        self._bundles = self._folder / "bundles"

    def make(self) -> None:
        """Create the folders. Raises OSError."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._bundles.mkdir(mode=0o700, exist_ok=True)

    def highest_serial(self) -> int:
        """The highest serial that this worker ever accepted, or 0. Raises OSError, msgspec.DecodeError."""
        untrusted = read_at_most(self._folder / SERIAL, 64)
        return 0 if untrusted is None else msgspec.json.decode(untrusted, type=int)

    def latest_clock(self) -> datetime | None:
        """The latest time of this host at which a refresh succeeded, as far as it was stored. Raises OSError."""
        untrusted = read_at_most(self._folder / CLOCK, 64)
        try:
            return None if untrusted is None else msgspec.json.decode(untrusted, type=datetime)
        except msgspec.DecodeError:
            return None

    def save_clock(self, now: datetime) -> None:
        """Store the time durably. Raises OSError."""
        write_durably(self._folder / CLOCK, msgspec.json.encode(now))

    def load_index(self) -> UntrustedIndex | None:
        """The last accepted index, not verified. None if there is none."""
        data = read_at_most(self._folder / INDEX, LIMITS.index_bytes)
        signature = read_at_most(self._folder / (INDEX + SIGNATURE), LIMITS.index_bytes)
        return None if data is None or signature is None else UntrustedIndex(data, signature)

    def save_index(self, index: UntrustedIndex, serial: int) -> None:
        """Store serial and index durably. The serial comes first: after a power cut, no older index may be accepted.

        Raises OSError.
        """
        write_durably(self._folder / SERIAL, str(serial).encode())
        write_durably(self._folder / INDEX, index.data)
        write_durably(self._folder / (INDEX + SIGNATURE), index.signature)

    def load_bundle(self, sha256: str) -> UntrustedBundle | None:
        """A bundle that was stored before, not verified. None if there is none."""
        path = self._bundles / f"{sha256}.zip"
        data = read_at_most(path, LIMITS.bundle_bytes)
        signatures = []
        for number in range(MOST_SIGNATURES):
            signature = read_at_most(self._bundles / signature_file(path.name, number), MAX_SIGNATURE_BYTES)
            if signature is None:
                break
            signatures.append(signature)
        if data is None or not signatures:
            return None
        _mark_used(path)
        return UntrustedBundle(data, signatures[0], tuple(signatures[1:]))

    def save_bundle(self, sha256: str, bundle: UntrustedBundle) -> None:
        """Store a bundle durably. Raises OSError."""
        path = self._bundles / f"{sha256}.zip"
        for number, signature in enumerate((bundle.signature, *bundle.more_signatures)):
            write_durably(self._bundles / signature_file(path.name, number), signature)
        write_durably(path, bundle.data)
        _mark_used(path)
        path.with_suffix(BEGUN).unlink(missing_ok=True)
        self._delete_least_used(sha256)

    def load_begun(self, sha256: str) -> bytes:
        """The first bytes of a bundle whose download broke off, not verified. Empty if there are none.

        Raises OSError.
        """
        return read_at_most(self._bundles / (sha256 + BEGUN), LIMITS.bundle_bytes) or b""

    def save_begun(self, sha256: str, data: bytes) -> None:
        """Store the first bytes of a bundle, for the next try. Raises OSError."""
        write_durably(self._bundles / (sha256 + BEGUN), data)
        self._delete_least_used(sha256)

    def drop_begun(self, sha256: str) -> None:
        """Forget these bytes. Raises OSError."""
        (self._bundles / (sha256 + BEGUN)).unlink(missing_ok=True)

    def _delete_least_used(self, newest: str) -> None:
        """Keep within the bound. The newest bundle stays, whatever its size."""
        files = [path for path in self._bundles.iterdir() if path.suffix in (".zip", BEGUN)]
        found = sorted(((path.stat().st_mtime_ns, path.stat().st_size, path) for path in files), reverse=True)
        left = self._most_bytes
        for _, size, path in found:
            left -= size
            if left < 0 and path.stem != newest:
                path.unlink(missing_ok=True)
                for signature in self._bundles.glob(f"{path.name}{SIGNATURE}*"):
                    signature.unlink(missing_ok=True)

    def keep_only(self, sha256s: Collection[str]) -> None:
        """Delete bundles that the index does not list any more, and files that a crash left half written."""
        for path in self._bundles.iterdir():
            if path.name.partition(".")[0] not in sha256s or path.suffix == ".part":
                path.unlink(missing_ok=True)


def read_at_most(path: Path, most_bytes: int) -> bytes | None:
    """The bytes of a file. None: it does not exist, or is larger. Raises OSError."""
    try:
        with path.open("rb") as file:
            untrusted = file.read(most_bytes + 1)
    except FileNotFoundError:
        return None
    return untrusted if len(untrusted) <= most_bytes else None


def _mark_used(path: Path) -> None:
    """The cache deletes by the time of the last use. The kernel's own times are equal for some milliseconds."""
    now = time.time_ns()
    os.utime(path, ns=(now, now))


def write_durably(path: Path, data: bytes) -> None:
    """Replace a file in one step, and write it to the disk. Raises OSError."""
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

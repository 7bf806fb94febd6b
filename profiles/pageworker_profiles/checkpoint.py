"""A profile's checkpoint: its cookies and storage while a browser has it open. A browser that ends normally removes it.

The bytes come from a runner, and go to the next runner of the same profile. They are never parsed here.
"""

import os
from pathlib import Path
from typing import NamedTuple

from pageworker_profiles.errors import explained

FILE = "checkpoint"
MAX_BYTES = 16 * 1024 * 1024
"""Above what a runner may hand over."""


class ProfileCheckpoint(NamedTuple):
    """What the last browser held before it was killed. `taken_at`: unix seconds."""

    untrusted_data: bytes
    taken_at: float


class CheckpointFacts(NamedTuple):
    """What is known of a checkpoint without its data. `bytes`: as stored. `taken_at`: unix seconds."""

    bytes: int
    taken_at: float


def write(folder: Path, checkpoint: ProfileCheckpoint) -> None:
    """Keep it in a profile's folder, in place of the one before. Raises ProfileError."""
    with explained("storing the checkpoint in", folder):
        new = folder / f"{FILE}.new"
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(checkpoint.untrusted_data)
            file.flush()
            os.utime(file.fileno(), (checkpoint.taken_at, checkpoint.taken_at))
            os.fsync(file.fileno())
        new.replace(folder / FILE)


def read(folder: Path) -> ProfileCheckpoint | None:
    """The one in a profile's folder; None: there is none. Raises ProfileError."""
    with explained("reading the checkpoint in", folder):
        try:
            with (folder / FILE).open("rb") as file:
                return ProfileCheckpoint(file.read(MAX_BYTES), os.fstat(file.fileno()).st_mtime)
        except FileNotFoundError:
            return None


def facts(folder: Path) -> CheckpointFacts | None:
    """Of the one in a profile's folder; None: there is none. Raises ProfileError."""
    with explained("reading the checkpoint in", folder):
        try:
            found = (folder / FILE).stat()
        except FileNotFoundError:
            return None
    return CheckpointFacts(found.st_size, found.st_mtime)


def remove(folder: Path) -> None:
    """Its data is newer now, or is another one. Raises ProfileError."""
    with explained("removing the checkpoint in", folder):
        (folder / FILE).unlink(missing_ok=True)

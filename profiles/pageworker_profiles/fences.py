"""The highest fencing token that opened a profile. It survives a crash of the process and of the host."""

import os
from pathlib import Path

from pageworker_profiles.errors import StaleFence, StoreDamaged


def advance(folder: Path, fence: int) -> None:
    """Record `fence` in the profile's folder. The caller holds the lock. Raises StaleFence, StoreDamaged, OSError."""
    seen = read(folder)
    if fence < seen:
        raise StaleFence(folder, fence, seen)
    if fence > seen:
        _write(folder, fence)


def read(folder: Path) -> int:
    """The highest fence so far; -1 if there is none. Raises StoreDamaged, OSError."""
    try:
        text = (folder / "fence").read_text("ascii", "replace")
    except FileNotFoundError:
        return -1
    try:
        return int(text)
    except ValueError as error:
        raise StoreDamaged(
            f"{folder / 'fence'} contains {text[:40]!r}, expected a number: write the last known fence into it"
        ) from error


def _write(folder: Path, fence: int) -> None:
    # Write another file, sync it, rename it, sync the folder: after a power cut the file has the old or the new number.
    new = folder / "fence.new"
    with new.open("w") as file:
        file.write(str(fence))
        file.flush()
        os.fsync(file.fileno())
    new.replace(folder / "fence")
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""The highest fencing token that opened a profile, kept through crashes of process and host."""

import os
from pathlib import Path

from pageworker_profiles.errors import StaleFence, StoreDamaged


def advance(folder: Path, fence: int) -> None:
    """Note `fence` in the profile's folder; the profile's lock is held. Raises StaleFence, StoreDamaged, OSError."""
    seen = read(folder)
    if fence < seen:
        raise StaleFence(folder, fence, seen)
    if fence > seen:
        _write(folder, fence)


def read(folder: Path) -> int:
    """The highest fence seen, -1 where there was none. Raises StoreDamaged, OSError."""
    try:
        text = (folder / "fence").read_text("ascii", "replace")
    except FileNotFoundError:
        return -1
    try:
        return int(text)
    except ValueError as error:
        raise StoreDamaged(
            f"{folder / 'fence'} holds {text[:40]!r}, expected a number; write the last known fence into it"
        ) from error


def _write(folder: Path, fence: int) -> None:
    # Write aside, sync, rename, sync the folder: after a power cut it is the old or the new number.
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

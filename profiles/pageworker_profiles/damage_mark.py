"""The mark beside a local folder: one of its databases was damaged when its browser was closed."""

from pathlib import Path

from pageworker_profiles.errors import explained

FILE = "damaged"


def is_there(folder: Path) -> bool:
    """Whether the profile's folder has the mark. Raises ProfileError."""
    with explained("reading the mark in", folder):
        return (folder / FILE).exists()


def write(folder: Path, reason: str) -> None:
    """Write it. `reason`: for people. Raises ProfileError."""
    with explained("marking", folder):
        (folder / FILE).write_text(reason + "\n", "utf-8")


def remove(folder: Path) -> None:
    """Remove it. Raises ProfileError."""
    with explained("removing the mark in", folder):
        (folder / FILE).unlink(missing_ok=True)

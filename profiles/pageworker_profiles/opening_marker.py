"""A random marker in a profile's data folder, new at each opening: by it a browser shows which folder it has opened."""

import os
from contextlib import suppress
from pathlib import Path

from pageworker_profiles.errors import ProfileTampered

FILE = "Pageworker Opening"
BITS = 64


def new_marker() -> int:
    """A random one."""
    return int.from_bytes(os.urandom(BITS // 8))


def marker_text(marker: int) -> str:
    """The content of the file: 16 hexadecimal digits."""
    return f"{marker:0{BITS // 4}x}"


def put(data: Path, folder: int, marker: int) -> None:
    """Write it, whatever the last runner left there. Raises ProfileTampered, OSError.

    `folder`: descriptor of the data folder (O_PATH). `data`: its path, for errors only.
    """
    try:
        with suppress(FileNotFoundError):
            os.unlink(FILE, dir_fd=folder)
    except IsADirectoryError as error:
        raise ProfileTampered(f"{data / FILE} is a folder: quarantine the profile") from error
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    file = os.open(FILE, flags, 0o444, dir_fd=folder)
    try:
        os.fchmod(file, 0o444)
        os.write(file, marker_text(marker).encode())
    finally:
        os.close(file)

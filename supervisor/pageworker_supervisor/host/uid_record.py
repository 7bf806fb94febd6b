"""The file `user-ids` of a data folder: the ranges of user ids that own files in it, the newest first.

A worker that is not root can take over only files of ids that it maps. So it keeps to the range of its last run, as far
as that is still free, and maps the earlier ones too. One line per range: the first id and their number.

The worker's user can write this file, and root reads it. So the caller maps no range that it would not choose itself.
"""

import errno
import os
import secrets
import stat
from collections.abc import Sequence
from pathlib import Path

from pageworker_supervisor.host.uid_ranges import IdRange

FILE = "user-ids"
MAX_RANGES = 64
"""Older ones are forgotten."""
MAX_DIGITS = 10
"""Of an id, which has 32 bits."""
MAX_BYTES = 64 * 1024


def parse(text: str) -> tuple[IdRange, ...]:
    """The ranges in the text. Lines that are none are skipped."""
    rows = (line.split() for line in text.splitlines())
    pairs = (tuple(map(int, row)) for row in rows if len(row) == 2 and all(map(_is_number, row)))
    return tuple(IdRange(first, count) for first, count in pairs if count > 0)[:MAX_RANGES]


def _is_number(word: str) -> bool:
    return word.isdecimal() and len(word) <= MAX_DIGITS


def format_ranges(ranges: Sequence[IdRange]) -> str:
    """The text of the file."""
    return "".join(f"{ids.first} {ids.count}\n" for ids in ranges[:MAX_RANGES])


def newest_first(ids: IdRange, earlier: Sequence[IdRange]) -> tuple[IdRange, ...]:
    """The ranges with this one in front, each once."""
    return tuple(dict.fromkeys((ids, *earlier)))[:MAX_RANGES]


def read(data_dir: Path) -> tuple[IdRange, ...]:
    """The ranges of a data folder; none if there is no such file, or a link in its place. Raises OSError."""
    try:
        descriptor = os.open(data_dir / FILE, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP):
            return ()
        raise
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return ()
        return parse(file.read(MAX_BYTES).decode(errors="replace"))


def write(data_dir: Path, ranges: Sequence[IdRange]) -> None:
    """Record them. After a power cut the file has the old or the new ones. Raises OSError.

    Root may write into a folder of the worker's user here, so it follows no link and opens no file that is there.
    """
    fresh = data_dir / f".{FILE}.{secrets.token_hex(4)}"
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(format_ranges(ranges))
            file.flush()
            os.fsync(descriptor)
        fresh.replace(data_dir / FILE)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise

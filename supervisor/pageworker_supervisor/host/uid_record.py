"""The file `user-ids` of a data folder: the ranges of user ids that own files in it, the newest first.

A worker that is not root can take over only files of ids that it maps. So it keeps to the range of its last run, as far
as that is still free, and maps the earlier ones too. One line per range: the first id and their number.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from pageworker_supervisor.host.uid_ranges import IdRange

FILE = "user-ids"
MAX_RANGES = 64
"""Older ones are forgotten."""


def parse(text: str) -> tuple[IdRange, ...]:
    """The ranges in the text. Lines that are none are skipped."""
    rows = (line.split() for line in text.splitlines())
    pairs = (tuple(map(int, row)) for row in rows if len(row) == 2 and all(word.isdecimal() for word in row))
    return tuple(IdRange(first, count) for first, count in pairs if count > 0)[:MAX_RANGES]


def format_ranges(ranges: Sequence[IdRange]) -> str:
    """The text of the file."""
    return "".join(f"{ids.first} {ids.count}\n" for ids in ranges[:MAX_RANGES])


def newest_first(ids: IdRange, earlier: Sequence[IdRange]) -> tuple[IdRange, ...]:
    """The ranges with this one in front, each once."""
    return tuple(dict.fromkeys((ids, *earlier)))[:MAX_RANGES]


def read(data_dir: Path) -> tuple[IdRange, ...]:
    """The ranges of a data folder; none if there is no such file. Raises OSError."""
    try:
        return parse((data_dir / FILE).read_text(errors="replace"))
    except FileNotFoundError:
        return ()


def write(data_dir: Path, ranges: Sequence[IdRange]) -> None:
    """Record them. After a power cut the file has the old or the new ones. Raises OSError."""
    text = format_ranges(ranges)
    fresh = data_dir / f"{FILE}.new"
    with fresh.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(data_dir / FILE)

"""Deletes local artifacts day by day."""

import datetime as dt
import re
from pathlib import Path

from pageworker_profiles import ProfileError
from pageworker_profiles.folders import walk
from pageworker_supervisor.telemetry import log

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def is_over(day: str, now: dt.datetime, keep_days: float) -> bool:
    """True when even the last moment of the folder's day is older than `keep_days`."""
    if not _DAY.fullmatch(day):
        return False
    try:
        end = dt.datetime.fromisoformat(day).replace(tzinfo=dt.UTC) + dt.timedelta(days=1)
    except ValueError:
        return False
    return now - end > dt.timedelta(days=keep_days)


def overdue(root: Path, now: dt.datetime, keep_days: float) -> list[Path]:
    """What is over below `<root>/<tenant>/<date>`. Blocks for a moment: it looks at two levels of folders."""
    return [day for tenant in _folders(root) for day in _folders(tenant) if is_over(day.name, now, keep_days)]


async def sweep(folders: list[Path]) -> int:
    """Remove them, each in a process of its own, one after the other; returns how many are gone.

    Another worker may sweep the same folder: what is gone already is no error.
    """
    removed = 0
    for folder in folders:
        try:
            await walk("remove", folder)
            removed += 1
        except ProfileError as error:
            log.warning("old artifacts are not deleted", reason=str(error))
    return removed


def _folders(folder: Path) -> list[Path]:
    try:
        return [entry for entry in folder.iterdir() if entry.is_dir() and not entry.is_symlink()]
    except FileNotFoundError:
        return []

"""Deletes old local artifacts, one folder per day."""

import datetime as dt
import re
from pathlib import Path

from pageworker_profiles import ProfileError
from pageworker_profiles.folder_calls import walk
from pageworker_supervisor.telemetry import log

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def is_over(day: str, now: dt.datetime, keep_days: float) -> bool:
    """Whether the whole day, `YYYY-MM-DD` in UTC, is older than `keep_days`. False if `day` is not a date."""
    if not _DAY.fullmatch(day):
        return False
    try:
        end = dt.datetime.fromisoformat(day).replace(tzinfo=dt.UTC) + dt.timedelta(days=1)
    except ValueError:
        return False
    return now - end > dt.timedelta(days=keep_days)


def overdue(root: Path, now: dt.datetime, keep_days: float) -> list[Path]:
    """The folders `<root>/<tenant>/<date>` that are over. Blocks: it reads two levels of folders."""
    return [day for tenant in _folders(root) for day in _folders(tenant) if is_over(day.name, now, keep_days)]


async def sweep(folders: list[Path]) -> int:
    """Delete these folders one after the other, each in a process of its own. Returns how many were deleted.

    Another worker may delete the same folder: a missing one is no error.
    """
    removed = 0
    for folder in folders:
        try:
            await walk("remove", folder)
            removed += 1
        except ProfileError as error:
            log.warning("old artifacts were not deleted", reason=str(error))
    return removed


def _folders(folder: Path) -> list[Path]:
    try:
        return [entry for entry in folder.iterdir() if entry.is_dir() and not entry.is_symlink()]
    except FileNotFoundError:
        return []

"""Deletes local artifacts day by day."""

import datetime as dt
import re
import shutil
from pathlib import Path

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


def sweep(root: Path, now: dt.datetime, keep_days: float) -> int:
    """Remove what is over below `<root>/<tenant>/<date>`; returns how many days of tenants. Blocks.

    Another worker may sweep the same folder: what is gone already is no error.
    """
    removed = 0
    for tenant in _folders(root):
        for day in _folders(tenant):
            if is_over(day.name, now, keep_days):
                shutil.rmtree(day, ignore_errors=True)
                removed += not day.exists()
    return removed


def _folders(folder: Path) -> list[Path]:
    try:
        return [entry for entry in folder.iterdir() if entry.is_dir() and not entry.is_symlink()]
    except FileNotFoundError:
        return []

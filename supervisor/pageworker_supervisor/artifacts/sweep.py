"""Deletes old local artifacts, one folder per day."""

import datetime as dt
import re
from collections.abc import Collection, Mapping
from pathlib import Path

from pageworker_profiles import ProfileError
from pageworker_profiles.folder_calls import walk
from pageworker_supervisor.telemetry import log

_FILE = re.compile(r"\d+-(.+)-[0-9a-f]{12}\.[a-z0-9]+")
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


class KindSweeper:
    """Deletes artifacts of some kinds before the rest of their day. Each folder is read once per set of kinds."""

    def __init__(self) -> None:
        self._swept: dict[Path, frozenset[str]] = {}

    def sweep(self, root: Path, now: dt.datetime, keep_days_of: Mapping[str, float]) -> int:
        """Delete the files `<root>/<tenant>/<date>/<job>/<attempt>-<kind>-…` of kinds whose days are over. Returns how
        many. Blocks. Another worker may delete the same file: a missing one is no error."""
        removed = 0
        swept: dict[Path, frozenset[str]] = {}
        for day in (day for tenant in _folders(root) for day in _folders(tenant)):
            kinds = frozenset(kind for kind, days in keep_days_of.items() if is_over(day.name, now, days))
            if kinds:
                swept[day] = kinds
                if self._swept.get(day) != kinds:
                    removed += sum(_remove(job, kinds) for job in _folders(day))
        self._swept = swept
        return removed


def kind_of(file_name: str) -> str | None:
    """The kind in the name of a stored artifact; None: it is no such name."""
    found = _FILE.fullmatch(file_name)
    return found[1] if found else None


def _remove(job: Path, kinds: Collection[str]) -> int:
    removed = 0
    for file in job.iterdir():
        if kind_of(file.name) in kinds and file.is_file() and not file.is_symlink():
            file.unlink(missing_ok=True)
            removed += 1
    return removed


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

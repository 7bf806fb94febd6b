"""Which local artifacts are old, and that nothing else is deleted."""

import datetime as dt
from pathlib import Path

from pageworker_supervisor.artifacts.sweep import is_over, overdue, sweep


async def test_old_days_are_swept_and_nothing_else(tmp_path: Path) -> None:
    now = dt.datetime(2030, 1, 31, 12, tzinfo=dt.UTC)
    outside = tmp_path / "outside"
    root = tmp_path / "root"
    for folder in ("acme/2030-01-16", "acme/2030-01-17", "acme/2030-01-31", "acme/notes", "b/2029-12-31"):
        (root / folder).mkdir(parents=True)
        (root / folder / "f").write_text("x")
    outside.mkdir()
    (outside / "f").write_text("x")
    (root / "acme" / "2020-01-01").symlink_to(outside)
    assert await sweep(overdue(root, now, keep_days=14)) == 2
    left = sorted(str(path.relative_to(root)) for path in root.glob("*/*"))
    assert left == ["acme/2020-01-01", "acme/2030-01-17", "acme/2030-01-31", "acme/notes"]
    assert (outside / "f").exists()
    assert overdue(tmp_path / "none", now, 14) == []


def test_a_day_is_kept_until_its_last_moment_is_old_enough() -> None:
    assert not is_over("2030-01-16", dt.datetime(2030, 1, 31, 0, 0, tzinfo=dt.UTC), 14)
    assert is_over("2030-01-16", dt.datetime(2030, 1, 31, 0, 0, 1, tzinfo=dt.UTC), 14)
    assert not is_over("2030-13-99", dt.datetime(2040, 1, 1, tzinfo=dt.UTC), 14)

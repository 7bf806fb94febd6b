"""Which local artifacts are old, and that nothing else is deleted."""

import datetime as dt
from pathlib import Path

import pytest

from pageworker_supervisor.artifacts.keys import key_of
from pageworker_supervisor.artifacts.sweep import KindSweeper, is_over, kind_of, overdue, sweep
from pageworker_supervisor.contract.job import JobRef


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


def stored(root: Path, day: int, kind: str) -> Path:
    file = root / key_of(JobRef("acme", "j:1"), dt.date(2030, 1, day), 2, kind, "application/zip", "ab" * 32)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("x")
    return file


def test_a_kind_goes_before_the_rest_of_its_day(tmp_path: Path) -> None:
    now = dt.datetime(2030, 1, 10, 12, tzinfo=dt.UTC)
    kinds = ("trace", "har", "my-trace", "html")
    old, new = ({kind: stored(tmp_path, day, kind) for kind in kinds} for day in (2, 9))
    (old["html"].parent / "1-trace-0123456789ab.zip").symlink_to(old["html"])
    sweeper = KindSweeper()
    assert sweeper.sweep(tmp_path, now, {"trace": 2, "har": 30}) == 1
    assert {kind for kind in kinds if old[kind].exists()} == {"har", "my-trace", "html"}
    assert all(file.exists() for file in new.values())
    assert sweeper.sweep(tmp_path, now, {"trace": 2, "har": 3}) == 1, "a changed setting is heeded"
    assert {kind for kind in kinds if old[kind].exists()} == {"my-trace", "html"}
    assert sweeper.sweep(tmp_path / "none", now, {"trace": 2}) == 0


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("1-trace-0123456789ab.zip", "trace"),
        ("12-a-b.c_d-0123456789ab.bin", "a-b.c_d"),
        ("trace-0123456789ab.zip", None),
        ("1-trace-0123.zip", None),
    ],
)
def test_the_kind_is_read_from_the_name(name: str, kind: str | None) -> None:
    assert kind_of(name) == kind

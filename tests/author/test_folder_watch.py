"""A change of any file that is packed is seen once it is complete. Caches and hidden files do not count."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pageworker_author.folder_watch import FolderWatch


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "module" / "shop").mkdir(parents=True)
    (tmp_path / "module" / "shop" / "__init__.py").write_text("a = 1\n")
    (tmp_path / "payload.json").write_text("{}")
    return tmp_path


def replaced(folder: Path) -> None:
    """As editors save: a new file takes the place of the old one, with the same size and time."""
    file = folder / "module/shop/__init__.py"
    times = (file.stat().st_atime_ns, file.stat().st_mtime_ns)
    new = folder / "new"
    new.write_text("a = 2\n")
    os.utime(new, ns=times)
    new.replace(file)


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "module/shop/__init__.py").write_text("a = 22\n"),
        lambda folder: (folder / "module/shop/parse.py").write_text(""),
        lambda folder: (folder / "module/shop/__init__.py").unlink(),
        lambda folder: (folder / "payload.json").write_text('{"x": 1}'),
        replaced,
    ],
)
async def test_a_change_is_seen(folder: Path, change: Callable[[Path], object]) -> None:
    watch = FolderWatch(folder / "module", [folder / "payload.json"], look_seconds=0.01)
    before = watch.look()
    change(folder)
    async with asyncio.timeout(5):
        await watch.changed(before)
    assert watch.look() != before


@pytest.mark.parametrize("name", [".pageworker/artifacts/shot.png", "shop/__pycache__/x.pyc", "shop/x.pyc", ".x.swp"])
def test_what_is_not_packed_does_not_count(folder: Path, name: str) -> None:
    watch = FolderWatch(folder / "module")
    before = watch.look()
    (folder / "module" / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / "module" / name).write_text("x")
    assert watch.look() == before


async def test_a_change_is_told_once_two_looks_agree(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = FolderWatch(folder, look_seconds=0.0)
    states = [{"a": (number, 0, 0)} for number in (0, 1, 2, 2)]
    looks = iter(states)
    monkeypatch.setattr(watch, "look", lambda: next(looks))
    await watch.changed(next(looks))
    assert list(looks) == []

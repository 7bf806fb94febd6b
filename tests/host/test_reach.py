"""What another user can reach is asked of the kernel, as this user."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pageworker_supervisor.host.reach import out_of_reach

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

UID = 261_501


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary)
        path.chmod(0o711)
        for name, mode in (("open", 0o644), ("closed", 0o600), ("group", 0o640)):
            (path / name).touch()
            (path / name).chmod(mode)
        (path / "private").mkdir(mode=0o700)
        (path / "private" / "within").touch()
        os.chown(path / "group", 0, 4_711)
        yield path


def test_what_it_cannot_read_or_enter_is_named(folder: Path) -> None:
    paths = [folder / name for name in ("open", "closed", "private", "private/within", "missing", ".")]
    assert out_of_reach(paths, UID, UID) == (folder / "closed", folder / "private", folder / "private" / "within")
    assert out_of_reach(paths, 0, 0) == ()


def test_its_groups_count(folder: Path) -> None:
    assert out_of_reach([folder / "group"], UID, UID) == (folder / "group",)
    assert out_of_reach([folder / "group"], UID, UID, [4_711]) == ()


def test_this_process_keeps_its_user(folder: Path) -> None:
    out_of_reach([folder], UID, UID)
    assert os.getresuid() == (0, 0, 0)

"""A data folder of root is given to the worker's user: once, and nothing else with it."""

import os
from pathlib import Path

import pytest

from pageworker_supervisor.host.data_handover import hand_over
from pageworker_supervisor.host.errors import HostRefused

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes owners")

UID, OTHER = 261_501, 261_502


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "profiles" / "acme" / "p1" / "data").mkdir(parents=True)
    (folder / "profiles" / "acme" / "p1" / "data" / "Cookies").touch()
    os.chown(folder / "profiles" / "acme" / "p1" / "data" / "Cookies", OTHER, OTHER)
    (folder / "redis" / "data").mkdir(parents=True)
    (folder / "registry").mkdir()
    (folder / "audit.key").touch()
    (folder / "notes").touch()
    return folder


def owners(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat(follow_symlinks=False).st_uid for path in folder.rglob("*")}


KEPT = ("registry", "notes")


def test_what_a_worker_makes_is_given_and_nothing_else(data_dir: Path) -> None:
    assert hand_over(data_dir, UID, UID) == 8
    assert data_dir.stat().st_uid == UID
    assert owners(data_dir) == {name: 0 if name in KEPT else UID for name in owners(data_dir)}


def test_a_complete_handover_is_not_repeated(data_dir: Path) -> None:
    hand_over(data_dir, UID, UID)
    runners = data_dir / "profiles" / "acme" / "p1" / "data"
    os.chown(runners, OTHER, OTHER)
    assert hand_over(data_dir, UID, UID) == 0
    assert runners.stat().st_uid == OTHER
    os.chown(data_dir / "audit.key", 0, 0)  # as an older worker, as root
    assert hand_over(data_dir, UID, UID) == 2
    assert runners.stat().st_uid == UID


def test_an_interrupted_one_continues(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done, chown = [0], os.chown

    def fails_at_the_third(*arguments: object, **options: object) -> None:
        done[0] += 1
        if done[0] == 3:
            raise OSError("interrupted")
        chown(*arguments, **options)  # type: ignore[arg-type]  # passed on as it came

    with monkeypatch.context() as patched:
        patched.setattr(os, "chown", fails_at_the_third)
        with pytest.raises(OSError, match="interrupted"):
            hand_over(data_dir, UID, UID)
    assert data_dir.stat().st_uid == 0
    assert hand_over(data_dir, UID, UID) == 6
    assert set(owners(data_dir).values()) == {0, UID}
    assert data_dir.stat().st_uid == UID


def test_links_lead_nowhere(data_dir: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    (victim / "folder").mkdir(parents=True)
    (data_dir / "artifacts").symlink_to(victim)
    (data_dir / "profiles" / "link").symlink_to(victim / "folder")
    hand_over(data_dir, UID, UID)
    assert victim.stat().st_uid == (victim / "folder").stat().st_uid == 0
    (data_dir / "redis" / "data" / "hard").hardlink_to(data_dir / "notes")
    os.chown(data_dir, 0, 0)
    with pytest.raises(HostRefused, match=r"redis/data/hard has 2 hard links"):
        hand_over(data_dir, UID, UID)
    assert (data_dir / "notes").stat().st_uid == 0
    assert data_dir.stat().st_uid == 0, "the worker of this user does not start"

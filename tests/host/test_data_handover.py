"""A data folder of root is given to the worker's user: once, and nothing else with it."""

import os
import socket
from pathlib import Path

import pytest

from pageworker_supervisor.host.data_handover import hand_over, take_back
from pageworker_supervisor.host.errors import HostRefused
from pageworker_supervisor.host.uid_ranges import IdRange

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes owners")

UID, OTHER = 261_501, 261_502
MAPPED = (IdRange(OTHER, 1),)
"""The user ids of runners."""


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
    assert hand_over(data_dir, UID, UID, MAPPED) == 0
    assert runners.stat().st_uid == OTHER
    os.chown(data_dir / "audit.key", 0, 0)  # as an older worker, as root
    assert hand_over(data_dir, UID, UID) == 2
    assert runners.stat().st_uid == UID


@pytest.mark.parametrize("owner", [0, 261_503], ids=["root", "user of another host"])
def test_what_root_restores_is_given_at_the_next_start(data_dir: Path, owner: int) -> None:
    hand_over(data_dir, UID, UID)
    profile, append_only = data_dir / "profiles/acme/p1/data", data_dir / "redis/data/appendonlydir"
    append_only.mkdir()
    for restored in (profile, profile / "Cookies", append_only):
        os.chown(restored, owner, owner)
    (data_dir / "profiles/acme/link").symlink_to(data_dir / "notes")
    assert hand_over(data_dir, UID, UID, MAPPED) == 3
    assert owners(data_dir) == {name: 0 if name in (*KEPT, "profiles/acme/link") else UID for name in owners(data_dir)}


def test_root_that_stays_root_takes_it_back_but_for_the_profiles(data_dir: Path) -> None:
    hand_over(data_dir, UID, UID)
    os.chown(data_dir / "redis" / "data", OTHER, OTHER)
    assert take_back(data_dir) == 3
    profiles = {name for name in owners(data_dir) if name.startswith("profiles")}
    assert owners(data_dir) == {name: UID if name in profiles else 0 for name in owners(data_dir)}
    assert data_dir.stat().st_uid == 0
    os.chown(data_dir / "redis" / "data", OTHER, OTHER)
    assert take_back(data_dir) == 0
    assert (data_dir / "redis" / "data").stat().st_uid == OTHER


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


def test_the_folder_of_a_worker_that_runs_stays_its_own(data_dir: Path) -> None:
    with socket.socket(socket.AF_UNIX) as running:
        running.bind(str(data_dir / "control.sock"))
        running.listen()
        with pytest.raises(OSError, match="another worker uses this data folder"):
            hand_over(data_dir, UID, UID)
    assert set(owners(data_dir).values()) == {0, OTHER}
    assert hand_over(data_dir, UID, UID) == 9, "a socket that no worker serves is a file like others"


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

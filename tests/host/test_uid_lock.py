"""Ranges of user ids are locked by the kernel, in a file that only root can change."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pageworker_supervisor.host.errors import HostRefused
from pageworker_supervisor.host.uid_lock import UidLock
from pageworker_supervisor.host.uid_ranges import IdRange

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes users")

AT = 2_100_000_000


@pytest.fixture
def lock_file(tmp_path: Path) -> Path:
    return tmp_path / "uids"


def test_ranges_conflict_exactly_where_they_overlap(lock_file: Path) -> None:
    one, two = UidLock(lock_file), UidLock(lock_file)
    assert one.take(IdRange(AT, 100)) is None
    assert two.take(IdRange(AT + 99, 100)) == IdRange(AT, 100)
    assert two.take(IdRange(AT + 100, 100)) is None
    one.close()
    assert two.take(IdRange(AT, 100)) is None
    two.close()


def test_a_daemon_that_was_killed_holds_nothing(lock_file: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from pageworker_supervisor.host.uid_lock import UidLock;"
        "from pageworker_supervisor.host.uid_ranges import IdRange;"
        f"UidLock(Path(sys.argv[1])).take(IdRange({AT}, 10)); print('held', flush=True); time.sleep(60)"
    )
    lock = UidLock(lock_file)
    with subprocess.Popen([sys.executable, "-c", code, str(lock_file)], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert lock.take(IdRange(AT + 9, 1)) == IdRange(AT, 10)
        other.kill()
        other.wait()
    assert lock.take(IdRange(AT + 9, 1)) is None
    lock.close()


@pytest.mark.parametrize("odd", ["link", "others", "writable", "fifo"])
def test_a_lock_that_another_user_could_have_made_is_refused(tmp_path: Path, lock_file: Path, odd: str) -> None:
    match odd:
        case "link":
            lock_file.symlink_to(tmp_path / "elsewhere")
        case "others":
            lock_file.touch()
            os.chown(lock_file, 65534, 65534)
        case "writable":
            lock_file.touch()
            lock_file.chmod(0o666)
        case "fifo":
            os.mkfifo(lock_file)
    with pytest.raises((HostRefused, OSError)):
        UidLock(lock_file)
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_others_can_write_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o1777)
    with pytest.raises(HostRefused, match="users other than root may change"):
        UidLock(folder / "uids")

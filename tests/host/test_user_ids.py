"""Ids are held against other daemons by the kernel, and refused where they belong to somebody."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from pageworker_supervisor.config.settings import SandboxSettings
from pageworker_supervisor.host.errors import HostRefused
from pageworker_supervisor.host.uid_lock import UidLock
from pageworker_supervisor.host.uid_ranges import IdRange, UidClaim
from pageworker_supervisor.host.user_ids import HostIds, choose, reserved, seed_of

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


def test_two_daemons_of_one_host_get_different_users(tmp_path: Path, lock_file: Path) -> None:
    settings = SandboxSettings()
    with reserved(settings, tmp_path, lock_file) as one, reserved(settings, tmp_path, lock_file) as two:
        assert one is not None
        assert two is not None
        assert not one.overlaps(two)
        first = one
    with reserved(settings, tmp_path, lock_file) as again:
        assert again == first, "the same after a restart"


def test_a_range_that_another_daemon_has_is_refused_in_words(tmp_path: Path, lock_file: Path) -> None:
    mine, theirs = SandboxSettings(first_uid=AT, uids=500), SandboxSettings(first_uid=AT + 499, uids=500)
    with reserved(mine, tmp_path, lock_file):
        words = f"{AT + 499}-{AT + 998} overlap {AT}-{AT + 499}, which another"
        with pytest.raises(HostRefused, match=words), reserved(theirs, tmp_path, lock_file):
            raise AssertionError
        with reserved(SandboxSettings(first_uid=AT + 500), tmp_path, lock_file) as beside:
            assert beside == IdRange(AT + 500, 500)


@pytest.mark.parametrize("odd", ["link", "others", "writable", "fifo"])
def test_a_lock_that_somebody_else_could_have_made_is_refused(tmp_path: Path, lock_file: Path, odd: str) -> None:
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
    with pytest.raises(HostRefused, match="not root's alone"):
        UidLock(folder / "uids")


class Crowded(HostIds):
    """A host whose claims are given."""

    def __init__(self, *claims: UidClaim) -> None:
        super().__init__()
        self.claims = list(claims)


def test_a_configured_range_of_somebody_else_is_refused_and_the_default_goes_around(tmp_path: Path) -> None:
    seed = seed_of(tmp_path)
    free = choose(SandboxSettings(), Crowded(), seed, None)
    taken = Crowded(UidClaim(IdRange(free.first, 65_536), "the subordinate ids of cyd in /etc/subuid"))
    with pytest.raises(HostRefused, match=r"of cyd in /etc/subuid; leave sandbox\.first_uid out"):
        choose(SandboxSettings(first_uid=free.first + 3), taken, seed, None)
    other = choose(SandboxSettings(), taken, seed, None)
    assert not other.overlaps(taken.claims[0].ids)


def test_a_host_without_any_free_id_is_refused(tmp_path: Path) -> None:
    full = Crowded(UidClaim(IdRange(0, 2**32), "everybody"))
    with pytest.raises(HostRefused, match="no 500 user ids are free"):
        choose(SandboxSettings(), full, seed_of(tmp_path), None)


def test_a_lock_that_cannot_be_made_is_no_reason_not_to_run(tmp_path: Path) -> None:
    with reserved(SandboxSettings(), tmp_path, tmp_path / "missing" / "uids") as ids:
        assert ids is not None


def test_the_settings_bound_what_can_be_asked_for() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"first_uid": 999}, SandboxSettings)

"""The owner of the server's folder: as root, and by the script in a user namespace."""

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pw_rights import SKIP_REASON, USER, as_user, can_run

from pageworker_supervisor.redis_client.folder_owner import GROUP_ENTERS, OWNER_ONLY, HardLinks, give

FIRST = 2_100_000_000
IN_NAMESPACE = """
import subprocess, sys
from pageworker_sandbox.launch.user_namespace import make
from pageworker_supervisor.redis_client import folder_owner
with make([(int(sys.argv[2]), 10)]) as namespace:
    command = [sys.executable, "-I", "-S", folder_owner.__file__, str(namespace.descriptor), *sys.argv[1:]]
    sys.exit(subprocess.run(command, pass_fds=[namespace.descriptor]).returncode)
"""
NO_SET_ID = """
import pyseccomp
program = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
for name, mode in (("chmod", 1), ("fchmod", 1), ("fchmodat", 2)):
    for bit in (0o4000, 0o2000):
        program.add_rule(pyseccomp.ERRNO(1), name, pyseccomp.Arg(mode, pyseccomp.MASKED_EQ, bit, bit))
program.load()
"""
"""As RestrictSUIDSGID= of the unit for systemd."""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes owners")


@pytest.fixture
def data() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as temporary:
        Path(temporary).chmod(0o755)
        folder = Path(temporary, "data")
        (folder / "appendonlydir").mkdir(parents=True)
        (folder / "appendonlydir" / "base.rdb").touch()
        yield folder


def owners(folder: Path) -> set[tuple[int, int]]:
    found = (path.stat(follow_symlinks=False) for path in (folder, *folder.rglob("*")))
    return {(status.st_uid, status.st_gid) for status in found}


def mode(folder: Path) -> int:
    return stat.S_IMODE(folder.stat().st_mode)


@as_root
def test_everything_in_it_is_given_and_no_link_is_followed(data: Path) -> None:
    victim = data.parent / "victim"
    victim.touch()
    (data / "link").symlink_to(victim)
    give(str(data), FIRST, FIRST, OWNER_ONLY)
    assert owners(data) == {(FIRST, FIRST)}
    assert victim.stat().st_uid == 0
    assert mode(data) == 0o700


@as_root
def test_a_hard_link_is_refused_by_name(data: Path) -> None:
    victim = data.parent / "victim"
    victim.touch()
    (data / "hard").hardlink_to(victim)
    with pytest.raises(HardLinks, match=r"hard in the data folder's redis/data has 2 hard links"):
        give(str(data), FIRST, FIRST, OWNER_ONLY)
    assert victim.stat().st_uid == 0


@as_root
@pytest.mark.parametrize("is_link", [False, True])
def test_what_is_put_in_the_place_of_a_file_meanwhile_is_not_given(
    data: Path, monkeypatch: pytest.MonkeyPatch, is_link: bool
) -> None:
    victim, file, chown = data.parent / "victim", data / "appendonlydir" / "base.rdb", os.chown
    victim.touch()
    if is_link:
        file.unlink()
        file.symlink_to("nowhere")

    def swapped_before(path: str, *owner: int, **options: Any) -> None:
        file.rename(data.parent / "checked")
        file.hardlink_to(victim)
        monkeypatch.setattr(os, "chown", chown)
        os.chown(path, *owner, **options)

    # The folders have their owner already, so the first change is that of the file.
    chown(data, FIRST, FIRST)
    chown(file.parent, FIRST, FIRST)
    monkeypatch.setattr(os, "chown", swapped_before)
    give(str(data), FIRST, FIRST, OWNER_ONLY)
    assert victim.stat().st_uid == 0
    assert (data.parent / "checked").lstat().st_uid == FIRST


@pytest.mark.skipif(not can_run(), reason=SKIP_REASON)
def test_without_root_it_is_given_in_a_user_namespace_and_the_group_may_enter(data: Path) -> None:
    for path in (data, *data.rglob("*")):
        os.chown(path, USER, USER)
    for user in (FIRST, FIRST + 1):
        python = ("setpriv", "--no-new-privs", sys.executable, "-c", NO_SET_ID + IN_NAMESPACE)
        command = as_user(*python, str(data), str(user), str(USER))
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
        assert done.returncode == 0, done.stderr
        assert owners(data) == {(user, USER)}
        assert mode(data) == GROUP_ENTERS
        for path in (data, *data.rglob("*")):  # for the next one, whose map has another first id
            os.chown(path, USER, USER)


@pytest.mark.skipif(not can_run(), reason=SKIP_REASON)
def test_what_belongs_to_another_user_is_not_taken(data: Path) -> None:
    command = as_user(sys.executable, "-c", IN_NAMESPACE, str(data), str(FIRST), str(USER))
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 1
    assert "Operation not permitted" in done.stderr
    assert owners(data) == {(0, 0)}

"""What a worker gets and keeps, by the capabilities that it is started with."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pw_rights import SKIP_REASON, USER, as_user, can_run

from pageworker_supervisor.host.rights import NEEDED, NeededCapability

pytestmark = pytest.mark.skipif(not can_run(), reason=SKIP_REASON)

AT = 2_100_000_000
ENTER = """
import sys
from pathlib import Path
from pageworker_supervisor.config.settings import SandboxSettings
from pageworker_supervisor.host.capabilities import own_rights
from pageworker_supervisor.host.own_users import own_users
first = int(sys.argv[2])
settings = SandboxSettings(first_uid=first or None, uids=40)
folder = Path(sys.argv[1])
with own_users(settings, folder, folder / "missing" / "uids") as users:
    print(own_rights())
    print(users.ids)
    print(users.namespace is not None and sorted(Path(f"/proc/self/fd/{users.namespace.descriptor}").readlink().parts))
"""


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, USER, USER)
        yield Path(folder)


def entered(data_dir: Path, first: int, *capabilities: str) -> "subprocess.CompletedProcess[str]":
    command = as_user(sys.executable, "-c", ENTER, str(data_dir), str(first), capabilities=capabilities)
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")


ALL = tuple(needed.name for needed in NEEDED)


def test_with_all_of_them_it_gets_user_ids_and_keeps_no_capability(data_dir: Path) -> None:
    lines = entered(data_dir, AT, *ALL).stdout.splitlines()
    assert lines[:2] == [f"user {USER} with no capability", f"{AT}-{AT + 39}"]
    assert "user:[" in lines[2]


def test_without_any_all_runs_under_its_own_user(data_dir: Path) -> None:
    lines = entered(data_dir, AT).stdout.splitlines()
    assert lines == [f"user {USER} with no capability", "None", "False"]


def test_one_that_is_not_needed_is_given_up_too(data_dir: Path) -> None:
    lines = entered(data_dir, AT, "CAP_NET_RAW", *ALL).stdout.splitlines()
    assert lines[0] == f"user {USER} with no capability"


@pytest.mark.parametrize("needed", NEEDED, ids=lambda needed: needed.name)
def test_a_part_of_them_is_refused_by_name(data_dir: Path, needed: NeededCapability) -> None:
    done = entered(data_dir, AT, *(name for name in ALL if name != needed.name))
    assert done.returncode == 1
    assert f"and lacks {needed.name}; grant both" in done.stderr


def test_it_keeps_to_the_range_that_owns_its_files(data_dir: Path) -> None:
    assert entered(data_dir, AT, *ALL).stdout.splitlines()[1] == f"{AT}-{AT + 39}"
    assert entered(data_dir, 0, *ALL).stdout.splitlines()[1] == f"{AT}-{AT + 39}", "not that of its host name"
    assert entered(data_dir, AT + 40, *ALL).stdout.splitlines()[1] == f"{AT + 40}-{AT + 79}"
    assert (data_dir / "user-ids").read_text() == f"{AT + 40} 40\n{AT} 40\n"


def test_ids_that_it_would_not_choose_are_not_taken_from_the_record(data_dir: Path) -> None:
    """The worker's user can write the record. With the ids of a container, it would own the container's files."""
    record = data_dir / "user-ids"
    record.write_text(f"400000 40\n{AT} 40\n")
    os.chown(record, USER, USER)
    assert entered(data_dir, 0, *ALL).stdout.splitlines()[1] == f"{AT}-{AT + 39}"
    assert record.read_text() == f"{AT} 40\n"


def test_the_id_of_the_worker_is_none_for_its_runners(data_dir: Path) -> None:
    done = entered(data_dir, USER - 1, *ALL)
    assert done.returncode == 1
    assert f"hold {USER}, the id of the worker itself" in done.stderr

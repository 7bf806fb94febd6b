"""A cgroup a cell: what is written where, and that none is left."""

import os
from pathlib import Path

import pytest
from pw_wall import cells

from pageworker_sandbox.launch import Host, cgroup


def test_limits_are_written_where_the_controllers_are(tmp_path: Path) -> None:
    home = cgroup.Home(tmp_path, cgroup.WANTED)
    (tmp_path / "runner_1").mkdir()
    for name in ("memory.max", "memory.swap.max", "memory.oom.group", "pids.max"):
        (tmp_path / "runner_1" / name).touch()
    group = home.create("runner/1", 1234, 56)
    assert group == cgroup.Cgroup(tmp_path / "runner_1")
    written = {path.name: path.read_text() for path in group.folder.iterdir()}
    assert written == {"memory.max": "1234", "memory.swap.max": "0", "memory.oom.group": "1", "pids.max": "56"}


def test_without_controllers_there_is_still_a_group_to_kill(tmp_path: Path) -> None:
    group = cgroup.Home(tmp_path, frozenset()).create("r", 1, 1)
    assert group is not None
    assert list(group.folder.iterdir()) == []
    group.kill()
    assert (group.folder / "cgroup.kill").read_text() == "1"


def test_where_none_can_be_made_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert cgroup.Home(tmp_path / "file", frozenset()).create("r", 1, 1) is None


def test_a_home_that_was_taken_for_a_leftover_is_made_again(tmp_path: Path) -> None:
    group = cgroup.Home(tmp_path / "gone", frozenset()).create("r", 1, 1)
    assert group is not None
    assert group.folder.is_dir()


@pytest.mark.sandbox
async def test_a_cell_lives_in_its_own_and_takes_it_along(host: Host, profile: Path) -> None:
    home = cgroup.home()
    assert home is not None or os.geteuid() != 0 or cgroup.own_folder() is None
    spec = cells.spec(profile)
    async with cells.cell(host, spec) as inside:
        where = Path(f"/proc/{inside.cell.pid}/cgroup").read_text()
        if home is not None:
            assert f"/{home.folder.name}/{spec.runner_id}\n" in where
            assert str(inside.cell.pid) in (home.folder / spec.runner_id / "cgroup.procs").read_text().split()
    if home is not None:
        assert [path for path in home.folder.iterdir() if path.is_dir()] == []

"""One cgroup per sandbox: which limits are written to which files, and that no cgroup is left."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from pw_sandbox import sandboxes

from pageworker_sandbox.launch import Host, LaunchFailed, cgroup, launch

THREADS = """
import threading
enough = threading.Event()
for _ in range(100): threading.Thread(target=enough.wait, daemon=True).start()
"""
FILL = """
import os
enough.set()
# Not the process's own data, which has a limit of its own: memfds.
kept = [os.memfd_create("x") for _ in range(3)]
for one in kept:
    for _ in range(350): os.write(one, bytes(1024**2))
"""


def test_limits_are_written_where_the_controllers_are(tmp_path: Path) -> None:
    home = cgroup.CgroupRoot(tmp_path, cgroup.WANTED)
    (tmp_path / "runner_1").mkdir()
    for name in ("memory.max", "memory.swap.max", "memory.oom.group", "pids.max", "cpu.weight"):
        (tmp_path / "runner_1" / name).touch()
    group = home.create("runner/1", 1234, 56, 100)
    assert group == cgroup.Cgroup(tmp_path / "runner_1", limited=cgroup.WANTED)
    written = {path.name: path.read_text() for path in group.folder.iterdir()}
    memory = {"memory.max": "1234", "memory.swap.max": "0", "memory.oom.group": "1"}
    assert written == {**memory, "pids.max": "56", "cpu.weight": "100"}


def test_without_controllers_there_is_still_a_group_to_kill(tmp_path: Path) -> None:
    group = cgroup.CgroupRoot(tmp_path, frozenset()).create("r", 1, 1)
    assert group is not None
    assert list(group.folder.iterdir()) == []
    assert group.limited == frozenset()
    group.kill()
    assert (group.folder / "cgroup.kill").read_text() == "1"


def test_where_none_can_be_made_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert cgroup.CgroupRoot(tmp_path / "file", frozenset()).create("r", 1, 1) is None


def test_a_home_that_was_taken_for_a_leftover_is_made_again(tmp_path: Path) -> None:
    group = cgroup.CgroupRoot(tmp_path / "gone", frozenset()).create("r", 1, 1)
    assert group is not None
    assert group.folder.is_dir()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes owners")
def test_the_root_is_given_to_the_user_that_the_worker_becomes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the process in it, so that its user may move processes to the cgroups of sandboxes."""
    ours, legacy = tmp_path / "ours", tmp_path / "legacy"
    for folder, names in ((ours, ("cgroup.procs", "cgroup.subtree_control")), (legacy, ("tasks", "pids.max"))):
        folder.mkdir()
        for name in names:
            (folder / name).touch()
    monkeypatch.setattr(cgroup, "find_root", lambda: cgroup.CgroupRoot(ours, frozenset(), (legacy,)))
    cgroup.give_root(1234, 56)
    assert (ours / "supervisor" / "cgroup.procs").read_text() == str(os.getpid())
    found = {path: (path.stat().st_uid, path.stat().st_gid) for path in tmp_path.rglob("*")}
    kept = {legacy / "pids.max"}
    assert {path for path, owner in found.items() if owner == (0, 0)} == kept
    assert {owner for path, owner in found.items() if path not in kept} == {(1234, 56)}
    monkeypatch.setattr(cgroup, "find_root", lambda: None)
    cgroup.give_root(1234, 56)


def test_a_controller_of_version_1_has_a_folder_of_its_own(tmp_path: Path) -> None:
    legacy = (tmp_path / "memory", tmp_path / "pids")
    for home, names in zip(legacy, (("memory.limit_in_bytes",), ("pids.max",)), strict=True):
        (home / "r").mkdir(parents=True)
        for name in names:
            (home / "r" / name).touch()
    group = cgroup.CgroupRoot(tmp_path / "v2", cgroup.WANTED, legacy).create("r", 1234, 56)
    assert group is not None
    assert group.folders == tuple(home / "r" for home in (tmp_path / "v2", *legacy))
    assert (tmp_path / "memory/r/memory.limit_in_bytes").read_text() == "1234"
    assert (tmp_path / "pids/r/pids.max").read_text() == "56"


@pytest.mark.parametrize("controllers", ["cpu io memory pids", "memory pids"])
def test_cpu_is_enabled_with_memory_and_pids_and_never_in_their_place(tmp_path: Path, controllers: str) -> None:
    """Of two writes, a plain file keeps the last one."""
    (tmp_path / "cgroup.controllers").write_text(controllers)
    (tmp_path / "cgroup.subtree_control").touch()
    assert cgroup._enable(tmp_path)
    enabled = (tmp_path / "cgroup.subtree_control").read_text()
    assert enabled == ("+cpu" if "cpu" in controllers else "+memory +pids")


def test_a_host_that_delegates_one_of_them_alone_delegates_none(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu memory")
    (tmp_path / "cgroup.subtree_control").touch()
    assert not cgroup._enable(tmp_path)
    assert (tmp_path / "cgroup.subtree_control").read_text() == ""


@pytest.mark.parametrize("memory", ["memory.events", "memory.oom_control"])
def test_the_kernel_counts_what_it_enforced(tmp_path: Path, memory: str) -> None:
    (tmp_path / memory).write_text("low 0\nmax 12\noom 2\noom_kill 3\nunder_oom 0\n")
    (tmp_path / "pids.events").write_text("max 4\n")
    assert cgroup.Cgroup(tmp_path).hits() == cgroup.LimitHits(memory=3, processes=4)
    assert cgroup.Cgroup(tmp_path / "none").hits() == cgroup.LimitHits()


@pytest.mark.sandbox
async def test_the_kernel_enforces_memory_and_processes_of_a_sandbox(host: Host, profile: Path) -> None:
    home = cgroup.find_root()
    if home is None or not home.controllers >= cgroup.WANTED:
        pytest.skip("no memory and pids controllers here")
    # The limit counts all processes of the user: other sandboxes of this test process must not be its own.
    own_uid = None if sandboxes.UID is None else sandboxes.UID + 90
    spec = replace(sandboxes.spec(profile, processes=80, uid=own_uid), memory_bytes=1024**3)
    async with sandboxes.sandbox(host, spec) as inside:
        assert inside.process.limit_hits() == cgroup.LimitHits()
        assert (await inside.process.proof())["cgroup"] == "memory pids"
        with pytest.raises(sandboxes.RaisedInside):
            await inside.run(THREADS)
        assert inside.process.limit_hits().processes > 0
        with pytest.raises(EOFError):
            await inside.run(FILL)
        await inside.process.wait()
        assert inside.process.limit_hits().memory > 0


@pytest.mark.sandbox
async def test_a_sandbox_runs_in_its_own_cgroup_which_ends_with_it(
    host: Host, profile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = cgroup.find_root()
    if home is None:
        assert os.geteuid() != 0 or cgroup.own_folder() is None
        pytest.skip("no cgroup can be made here")
    spec = sandboxes.spec(profile)
    async with sandboxes.sandbox(host, spec) as inside:
        where = Path(f"/proc/{inside.process.pid}/cgroup").read_text()
        assert f"/{home.folder.name}/{spec.runner_id}\n" in where
        assert str(inside.process.pid) in (home.folder / spec.runner_id / "cgroup.procs").read_text().split()
    assert [path for path in home.folder.iterdir() if path.is_dir()] == []
    # Control: without a cgroup root the same sandbox runs elsewhere.
    monkeypatch.setattr(cgroup, "find_root", lambda: None)
    async with sandboxes.sandbox(host, spec) as inside:
        where = Path(f"/proc/{inside.process.pid}/cgroup").read_text()
        assert f"/{home.folder.name}/{spec.runner_id}\n" not in where
        assert (await inside.process.proof())["cgroup"] == ""


@pytest.mark.sandbox
async def test_no_sandbox_starts_without_a_cgroup_that_is_required(
    host: Host, profile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cgroup, "find_root", lambda: None)
    with pytest.raises(LaunchFailed, match=r"the right cgroup is missing .* sandbox\.require"):
        await launch(replace(host, required=frozenset({"cgroup"})), sandboxes.spec(profile))

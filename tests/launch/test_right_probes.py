"""What the host gives to sandboxes: each probe is made here for real, and where the kernel answers otherwise."""

import errno
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from pw_sandbox.orphans import inherits_orphans

from pageworker_sandbox.confine import landlock
from pageworker_sandbox.launch import cgroup, procfs, right_probes
from pageworker_sandbox.launch.errors import HostProblem
from pageworker_sandbox.launch.preflight import find_bubblewrap
from pageworker_sandbox.launch.right_probes import (
    ProbedRight,
    probe_cgroup,
    probe_landlock_fs,
    probe_own_uid,
    probe_rights,
    probe_seccomp,
    probe_userns,
)
from pageworker_sandbox.sandbox_rights import ESSENTIAL, NAMES


@pytest.mark.sandbox
def test_this_host_gives_what_every_supported_host_gives() -> None:
    probed = probe_rights(find_bubblewrap())
    assert set(probed) == set(NAMES) - {"chromium_sandbox"}
    assert [name for name in ESSENTIAL if name in probed and not probed[name].there] == []
    assert probed["own_uid"].there is (os.geteuid() == 0)
    assert probed["landlock.net"].there is (landlock.abi() >= landlock.NET_ABI)
    assert probed["landlock.scope"].there is (landlock.abi() >= landlock.SCOPE_ABI)


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (errno.ENOSYS, "this kernel has no Landlock"),
        (errno.EOPNOTSUPP, "not in the kernel's lsm= list"),
        (errno.EPERM, "a seccomp profile forbids"),
    ],
)
def test_a_kernel_without_landlock(monkeypatch: pytest.MonkeyPatch, code: int, why: str) -> None:
    def refuse(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(landlock, "call", refuse)
    probed = probe_landlock_fs()
    assert (probed.there, why in probed.found) == (False, True)


def test_rights_are_tried_one_by_one_and_not_derived_from_a_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel with the rights of ABI 2: newer file rights, TCP and scopes are unknown to it."""

    def old(name: str, attributes: landlock.RulesetAttr, size: int, flags: int) -> int:
        if attributes.handled_access_fs & ~0x3FFF:
            raise OSError(errno.EINVAL, "Invalid argument")
        if attributes.handled_access_net or attributes.scoped:
            raise OSError(errno.E2BIG, "Argument list too long")
        return os.open("/dev/null", os.O_RDONLY)

    monkeypatch.setattr(landlock, "call", old)
    assert probe_landlock_fs() == ProbedRight(True, "without TRUNCATE, IOCTL_DEV")
    assert not right_probes._try_landlock(net=landlock.ALL_NET).there
    assert not right_probes._try_landlock(scopes=landlock.ALL_SCOPES).there


@pytest.mark.parametrize("code", [errno.EINVAL, errno.EPERM])
def test_a_kernel_without_seccomp_filters(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    assert probe_seccomp().there

    def refuse(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(right_probes, "call", refuse)
    assert probe_seccomp() == ProbedRight(False, f"seccomp(2): {os.strerror(code)}")


def test_a_bubblewrap_that_does_not_start_shows_its_error() -> None:
    with TemporaryDirectory(prefix="pw-rights-") as folder:
        Path(folder).chmod(0o755)
        broken = Path(folder, "broken")
        broken.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
        broken.chmod(0o755)
        assert probe_userns(broken) == ProbedRight(False, "bwrap: setting up uid map: Permission denied")
    assert probe_userns(HostProblem("bubblewrap is not installed", "PATH", "")).found == "bubblewrap is not installed"


@pytest.mark.sandbox
def test_bubblewrap_leaves_no_zombie_where_this_process_inherits_orphans() -> None:
    bubblewrap = find_bubblewrap()
    assert isinstance(bubblewrap, Path)
    before = set(procfs.children(os.getpid()))
    with inherits_orphans():
        for _ in range(5):  # bubblewrap ends before init in most of them
            assert probe_userns(bubblewrap).there
    assert set(procfs.children(os.getpid())) <= before


def test_a_program_that_cannot_change_its_user(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(right_probes, "run_program", refuse)
    assert probe_own_uid().found == "no program starts under another user id: Operation not permitted"


def test_a_cgroup_with_both_limits_is_needed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def home(root: cgroup.CgroupRoot | None) -> ProbedRight:
        monkeypatch.setattr(cgroup, "find_root", lambda: root)
        return probe_cgroup()

    group = tmp_path / f"probe.{os.getpid()}"
    group.mkdir()
    (group / "memory.max").touch()
    assert home(None).found == "no cgroup can be created"
    assert home(cgroup.CgroupRoot(tmp_path, frozenset({"pids"}))).found.endswith("without the controllers memory")
    assert home(cgroup.CgroupRoot(tmp_path, cgroup.WANTED)).found == "a cgroup has no limits of pids"
    (group / "pids.max").touch()
    assert home(cgroup.CgroupRoot(tmp_path, cgroup.WANTED)) == ProbedRight(True, "version 2: limits of memory, pids")
    (tmp_path / "file").touch()
    assert home(cgroup.CgroupRoot(tmp_path / "file", cgroup.WANTED)).found.startswith("the kernel refuses")


@pytest.mark.sandbox
def test_a_probed_cgroup_is_gone_afterwards() -> None:
    root = cgroup.find_root()
    if root is None:
        pytest.skip("no cgroup can be made here")
    probe_cgroup()
    assert not list(root.folder.glob("probe.*"))

"""What the root of a sandbox holds, without starting one."""

from dataclasses import replace
from pathlib import Path

import pytest

from pageworker_sandbox.launch import Host
from pageworker_sandbox.launch.mounts import Bind, MountMode, Scratch
from pageworker_sandbox.launch.root_layout import SandboxSpec, gateway_mounts, runner_mounts


@pytest.fixture
def spec(profile: Path) -> SandboxSpec:
    return SandboxSpec("r", 1, profile, 3 * 1024**3, 1)


def test_a_runner_can_write_to_its_profile_and_nowhere_else(host: Host, spec: SandboxSpec, profile: Path) -> None:
    writable = [m for m in runner_mounts(host, spec) if isinstance(m, Bind) and m.mode is MountMode.READ_WRITE]
    assert writable == [Bind(profile, Path("/profile"), MountMode.READ_WRITE)]


def test_the_profile_is_the_folder_that_was_checked(host: Host, spec: SandboxSpec, profile: Path) -> None:
    mounts = runner_mounts(host, replace(spec, profile_fd=9))
    assert mounts[-1] == Bind(profile, Path("/profile"), MountMode.READ_WRITE, 9)


def test_scratch_is_limited(host: Host, spec: SandboxSpec) -> None:
    scratch = {m.inside: m.size_bytes for m in runner_mounts(host, spec) if isinstance(m, Scratch)}
    assert set(scratch) == {Path("/tmp"), Path("/dev/shm")}
    assert all(0 < size <= 1024**3 for size in scratch.values())


def test_without_a_profile_its_folder_is_a_tmpfs_like_the_others(host: Host, spec: SandboxSpec) -> None:
    mounts = runner_mounts(host, replace(spec, profile_dir=None, scratch_bytes=100 * 1024**2, scratch_files=7))
    scratch = {m.inside: (m.size_bytes, m.files) for m in mounts if isinstance(m, Scratch)}
    assert scratch == dict.fromkeys((Path("/tmp"), Path("/dev/shm"), Path("/profile")), (100 * 1024**2, 7))
    assert not [m for m in mounts if isinstance(m, Bind) and m.mode is MountMode.READ_WRITE]


def test_no_tmpfs_holds_more_than_a_quarter_of_the_memory(host: Host, spec: SandboxSpec) -> None:
    mounts = runner_mounts(host, replace(spec, memory_bytes=400 * 1024**2))
    assert {m.size_bytes for m in mounts if isinstance(m, Scratch)} == {100 * 1024**2}


def test_the_gateway_can_write_nowhere(host: Host) -> None:
    assert not [m for m in gateway_mounts(host) if isinstance(m, Scratch)]
    assert not [m for m in gateway_mounts(host) if isinstance(m, Bind) and m.mode is MountMode.READ_WRITE]


def test_no_program_but_interpreter_driver_and_browser_is_bound_by_name(host: Host, spec: SandboxSpec) -> None:
    inside = {str(m.inside) for m in runner_mounts(host, spec)}
    assert not inside & {"/bin", "/usr/bin", "/usr/sbin", "/sbin", "/usr", "/etc", "/home", "/root"}
    assert {path for path in inside if path.startswith("/usr/bin/")} == {str(host.python)}

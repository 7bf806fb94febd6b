"""Landlock, applied for real to processes of the test, and its tables."""

import ctypes
from pathlib import Path

import pytest
from pw_sandbox.confined_child import run

from pageworker_sandbox.confine import landlock
from pageworker_sandbox.confine.errors import ConfinementFailed
from pageworker_sandbox.confine.landlock import AccessFs

needs_landlock = pytest.mark.skipif(landlock.abi() < 1, reason="this kernel has no Landlock")


@pytest.mark.parametrize(
    ("version", "newest"),
    [
        (1, AccessFs.MAKE_SYM),
        (2, AccessFs.REFER),
        (3, AccessFs.TRUNCATE),
        (4, AccessFs.TRUNCATE),
        (5, AccessFs.IOCTL_DEV),
    ],
)
def test_an_abi_handles_all_rights_up_to_its_newest(version: int, newest: AccessFs) -> None:
    assert landlock.all_fs(version) == AccessFs((newest << 1) - 1)


def test_no_abi_handles_rights_that_have_no_name() -> None:
    assert landlock.all_fs(99) == AccessFs(sum(AccessFs))


@pytest.mark.parametrize(("version", "fields"), [(1, 1), (3, 1), (4, 2), (5, 2), (6, 3), (9, 3)])
def test_the_size_of_the_ruleset_is_what_the_abi_accepts(version: int, fields: int) -> None:
    assert landlock.ruleset_size(version) == fields * ctypes.sizeof(ctypes.c_uint64)


def test_more_than_one_thread_is_refused_before_the_abi_that_restricts_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landlock, "abi", lambda: 7)
    with pytest.raises(ConfinementFailed, match="this process has 2"):
        landlock.restrict(AccessFs.EXECUTE, {}, threads=2)


def test_a_kernel_without_it_is_refused_with_its_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landlock, "abi", lambda: 0)
    with pytest.raises(ConfinementFailed, match=r"Linux 5\.13"):
        landlock.restrict(AccessFs.EXECUTE, {})


@needs_landlock
def test_reading_is_permitted_beneath_the_named_paths_only(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    for name in ("open/file", "closed"):
        (tmp_path / name).write_text("x")
    code = f"""
from pageworker_sandbox.confine import landlock
from pageworker_sandbox.confine.landlock import AccessFs
allowed = {{{str(tmp_path / "open")!r}: AccessFs.READ_FILE, "/nonexistent": AccessFs.READ_FILE}}
landlock.restrict(AccessFs.READ_FILE, allowed)
answer = [attempt(lambda path=path: os.close(os.open(path, os.O_RDONLY))) for path in (
    {str(tmp_path / "open/file")!r}, {str(tmp_path / "closed")!r})]
"""
    assert run(code) == ["permitted", "EACCES"]


@needs_landlock
def test_a_right_that_is_not_handled_stays(tmp_path: Path) -> None:
    code = f"""
from pageworker_sandbox.confine import landlock
landlock.restrict(landlock.AccessFs.MAKE_DIR, {{}})
answer = [attempt(lambda: os.mkdir({str(tmp_path / "d")!r})), attempt(lambda: os.mkfifo({str(tmp_path / "f")!r}))]
"""
    assert run(code) == ["EACCES", "permitted"]


@pytest.mark.skipif(landlock.abi() < landlock.NET_ABI, reason="Landlock has no network rules before Linux 6.7")
def test_tcp_connections_are_permitted_to_the_named_ports_only() -> None:
    code = """
import socket
from pageworker_sandbox.confine import landlock
servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
ports = [server.getsockname()[1] for server in servers]
landlock.restrict(landlock.AccessFs(0), {}, connect_ports=ports[:1])
answer = [attempt(lambda port=port: socket.create_connection(("127.0.0.1", port)).close()) for port in ports]
answer.append(attempt(lambda: socket.create_server(("127.0.0.1", 0)).close()))
"""
    assert run(code) == ["permitted", "EACCES", "EACCES"]


@pytest.mark.skipif(landlock.abi() < landlock.SCOPE_ABI, reason="Landlock has no scopes before Linux 6.12")
def test_signals_reach_no_process_outside_of_the_scope() -> None:
    code = """
from pageworker_sandbox.confine import landlock
landlock.restrict(landlock.AccessFs(0), {}, net=True, scopes=True)
answer = [attempt(lambda: os.kill(os.getppid(), 0)), attempt(lambda: os.kill(os.getpid(), 0))]
"""
    assert run(code) == ["EPERM", "permitted"]


@needs_landlock
def test_what_is_in_force_is_returned() -> None:
    code = """
from pageworker_sandbox.confine import landlock
answer = [
    landlock.restrict(landlock.AccessFs.READ_FILE, {}),
    landlock.restrict(landlock.AccessFs(0), {}, net=True, scopes=True),
]
"""
    since = {"net": landlock.NET_ABI, "scope": landlock.SCOPE_ABI}
    newer = [name for name, version in since.items() if landlock.abi() >= version]
    assert run(code) == [["fs"], newer]


@needs_landlock
def test_a_ruleset_that_is_only_tried_restricts_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    landlock.try_ruleset(landlock.NEEDED_FS)
    assert (tmp_path / "file").read_text() == "x"
    with pytest.raises(OSError, match="Invalid argument"):
        landlock.try_ruleset(1 << 63)

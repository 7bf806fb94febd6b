"""Messages to a service manager, over real datagram sockets."""

import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from pageworker_supervisor.host.errors import HostRefused
from pageworker_supervisor.host.service_manager import (
    LONGEST_ADDRESS,
    STATUS_CHARACTERS,
    ServiceManager,
    extend_line,
    service_manager,
    status_line,
)


@contextmanager
def listening(address: str) -> Iterator[socket.socket]:
    """A manager's socket. `address`: a path, or a name that begins with `@`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("\0" + address[1:] if address.startswith("@") else address)
        sock.setblocking(False)
        yield sock


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_a_message_arrives_as_one_datagram(tmp_path: Path, kind: str) -> None:
    address = f"{tmp_path}/notify" if kind == "path" else f"@pageworker-{secrets.token_hex(8)}"
    with listening(address) as sock, closing(service_manager({"NOTIFY_SOCKET": address})) as manager:
        assert manager.present
        manager.send("READY=1", status_line("ready: 0 jobs run"))
        manager.send("WATCHDOG=1")
        assert [sock.recv(999), sock.recv(999)] == [b"READY=1\nSTATUS=ready: 0 jobs run", b"WATCHDOG=1"]


def test_a_manager_that_starts_again_gets_the_next_message(tmp_path: Path) -> None:
    address = f"{tmp_path}/notify"
    with closing(service_manager({"NOTIFY_SOCKET": address})) as manager:
        for number in range(2):
            with listening(address) as sock:
                manager.send(f"WATCHDOG={number}")
                assert sock.recv(999) == f"WATCHDOG={number}".encode()
            Path(address).unlink()
        manager.send("READY=1")  # no manager listens: a line in the log, and no error


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_a_worker_that_was_root_reaches_a_manager_of_root(tmp_path: Path) -> None:
    address = f"{tmp_path}/notify"
    with listening(address) as sock, closing(service_manager({"NOTIFY_SOCKET": address})) as manager:
        Path(address).chmod(0o600)
        child = os.fork()
        if child == 0:
            try:
                os.setresuid(261_501, 261_501, 261_501)
                manager.send("READY=1")
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        assert sock.recv(999) == b"READY=1"


def test_children_do_not_inherit_the_variables() -> None:
    environ = {"NOTIFY_SOCKET": "@name", "WATCHDOG_USEC": "1", "WATCHDOG_PID": str(os.getpid()), "PATH": "/bin"}
    service_manager(environ).close()
    assert environ == {"PATH": "/bin"}


def test_without_a_manager_no_message_is_sent() -> None:
    manager = service_manager({})
    manager.send("READY=1")
    manager.close()
    assert (manager.present, manager.watchdog_seconds) == (False, None)


@pytest.mark.parametrize(
    ("usec", "pid", "seconds"),
    [("30000000", "", 30.0), ("500000", "own", 0.5), ("500000", "1", None), ("", "", None)],
)
def test_a_watchdog_counts_if_it_is_for_this_process(usec: str, pid: str, seconds: float | None) -> None:
    variables = {"WATCHDOG_USEC": usec, "WATCHDOG_PID": str(os.getpid()) if pid == "own" else pid}
    with closing(service_manager({"NOTIFY_SOCKET": "@name", **variables})) as manager:
        assert manager.watchdog_seconds == seconds


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NOTIFY_SOCKET", "vsock:2:9"),
        ("NOTIFY_SOCKET", "@"),
        ("NOTIFY_SOCKET", "/" + "x" * LONGEST_ADDRESS),
        ("WATCHDOG_USEC", "0"),
        ("WATCHDOG_USEC", "-1"),
        ("WATCHDOG_USEC", "30s"),
    ],
)
def test_a_wrong_variable_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(HostRefused, match=name):
        service_manager({name: value})


def test_a_manager_that_is_gone_or_hangs_does_not_stop_the_daemon(tmp_path: Path) -> None:
    address = f"{tmp_path}/notify"
    with closing(ServiceManager(address)) as manager:
        manager.send("STATUS=there is no socket yet")
        with listening(address) as sock:
            # The queue of a datagram socket is short: net.unix.max_dgram_qlen.
            for number in range(5000):
                manager.send(f"STATUS={number}")
            assert sock.recv(99) == b"STATUS=0"


def test_a_status_is_one_line_of_bounded_length() -> None:
    assert status_line("a\nREADY=1") == "STATUS=a\\nREADY=1"
    long = status_line("x" * 5000)
    assert (len(long), long[-1]) == (len("STATUS=") + STATUS_CHARACTERS, "…")


def test_times_are_microseconds() -> None:
    assert extend_line(1.5) == "EXTEND_TIMEOUT_USEC=1500000"

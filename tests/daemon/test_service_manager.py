"""A real daemon under a service manager: this test, with a real datagram socket."""

import os
import signal
import socket
import time
from pathlib import Path

import pytest
from pw_daemon import HEADLESS_SHELL, place
from pw_daemon.processes import below

pytestmark = [pytest.mark.timeout(200)]


def received(sock: socket.socket, line: str, seconds: float = 60) -> list[str]:
    """The next message with a line that begins so."""
    until = time.monotonic() + seconds
    while True:
        sock.settimeout(max(0.01, until - time.monotonic()))
        message = sock.recv(4096).decode().split("\n")
        if any(one.startswith(line) for one in message):
            return message


async def test_a_manager_is_told_of_start_reload_progress_and_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", f"{tmp_path}/notify")
    monkeypatch.setenv("WATCHDOG_USEC", "4000000")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"{tmp_path}/notify")
        async with place() as here:
            with here.worker(browser=HEADLESS_SHELL) as daemon:
                assert received(sock, "READY=1")[1].startswith("STATUS=ready: ")
                received(sock, "WATCHDOG=1")
                children = below(daemon.pid)
                assert children
                for pid in children:
                    assert b"NOTIFY_SOCKET" not in Path(f"/proc/{pid}/environ").read_bytes()

                text = daemon.config.read_text()
                daemon.config.write_text(text.replace('"runners" = 2', '"runners" = 0'))
                daemon.signal(signal.SIGHUP)
                received(sock, "RELOADING=1")
                assert "The last reload was refused: pool.runners" in received(sock, "READY=1")[1]
                daemon.config.write_text(text.replace('"id" = "w1"', '"id" = "w2"'))
                daemon.signal(signal.SIGHUP)
                received(sock, "RELOADING=1")
                assert "refused" not in received(sock, "READY=1")[1]
                assert daemon.status().config.waiting_for_restart == ("worker.id",)

                # An outage of Redis must not end in a restart.
                here.redis.pause()
                received(sock, "STATUS=cut_off: ")
                for _ in range(3):
                    received(sock, "WATCHDOG=1")
                here.redis.resume()

                os.kill(daemon.pid, signal.SIGTERM)
                stopping = received(sock, "STOPPING=1")
                assert stopping[1].startswith("EXTEND_TIMEOUT_USEC=")
                assert daemon.terminate() == 0

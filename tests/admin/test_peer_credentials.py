"""Only root and the worker's own user may use the control socket."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop
from pw_http import FakeWorker, running

from pageworker_supervisor.admin import peer_credentials
from pageworker_supervisor.admin.control_socket import CONTROL_SOCKET


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_is_refused_even_where_the_mode_lets_it_in(tmp_path: Path) -> None:
    """The kernel's word for who is there, against a real connection of another user."""
    code = (
        "import contextlib, os, socket, sys\n"
        "os.setuid(65534)\n"
        "s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n"
        "with contextlib.suppress(BrokenPipeError):\n"
        "    s.sendall(b'POST /undrain HTTP/1.1\\r\\nHost: w\\r\\nContent-Length: 0\\r\\n\\r\\n')\n"
        "print(s.recv(100).decode())\n"
    )

    async def story() -> None:
        worker = FakeWorker()
        worker.state = "draining"
        async with running(worker, tmp_path):
            path = tmp_path / CONTROL_SOCKET
            path.chmod(0o666)
            for folder in [tmp_path, *tmp_path.parents][:4]:
                if folder.owner() == "root" and str(folder) not in ("/", "/tmp"):
                    folder.chmod(0o755)
            other = await asyncio.to_thread(
                subprocess.run, [sys.executable, "-c", code, str(path)], capture_output=True, text=True
            )
            assert other.stdout.startswith("HTTP/1.1 403"), other.stderr
            assert worker.state == "draining"

    on_both_loops(story)


def test_the_kernel_says_who_is_there() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert peer_credentials.peer_uid(ours) == os.geteuid()


def on_both_loops(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(story())
    uvloop.run(story())

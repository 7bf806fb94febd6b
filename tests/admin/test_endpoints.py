"""The real servers, spoken to over real sockets."""

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvloop
from pw_http import FakeWorker, get, running

from pageworker_supervisor.admin import peer_credentials
from pageworker_supervisor.admin.control_client import WorkerClient
from pageworker_supervisor.admin.errors import ControlError, WorkerRefused, WorkerUnreachable
from pageworker_supervisor.admin.server import CONTROL_SOCKET, bind_tcp, bind_unix
from pageworker_supervisor.admin.status import DrainLine, StatusReport
from pageworker_supervisor.contract.job_ref import JobRef


async def test_probes_tell_alive_from_ready(tmp_path: Path) -> None:
    worker = FakeWorker()
    async with running(worker, tmp_path) as endpoints:
        assert (await get(endpoints, "/healthz")).status_code == 200
        assert (await get(endpoints, "/readyz")).json() == {"ready": True, "state": "ready", "reason": ""}
        worker.state = "cut_off"
        answer = await get(endpoints, "/readyz")
        assert answer.status_code == 503
        assert answer.json() == {"ready": False, "state": "cut_off", "reason": "an operator asked"}
        assert answer.headers["cache-control"] == "no-store"
        assert (await get(endpoints, "/healthz")).status_code == 200


async def test_metrics_and_status(tmp_path: Path) -> None:
    async with running(FakeWorker(), tmp_path) as endpoints:
        scraped = await get(endpoints, "/metrics")
        assert scraped.headers["content-type"].startswith("text/plain; version=")
        assert "pageworker_ready 1.0" in scraped.text
        status = (await get(endpoints, "/status")).json()
        assert status["runners"][0]["pages"] == {"IDLE": 4}
        assert status["redis"]["url"] == "redis://:(hidden)@h"


@pytest.mark.parametrize("path", ["/drain", "/resume", "/cancel", "/docs", "/"])
async def test_nothing_can_be_changed_over_tcp(tmp_path: Path, path: str) -> None:
    worker = FakeWorker()
    async with running(worker, tmp_path) as endpoints:
        assert (await get(endpoints, path, "POST")).status_code == 404
    assert worker.drained_with == []


async def test_reading_endpoints_only_read(tmp_path: Path) -> None:
    async with running(FakeWorker(), tmp_path) as endpoints:
        assert (await get(endpoints, "/status", "POST")).status_code == 405


def test_workerctl_drains_and_resumes_over_the_socket(tmp_path: Path) -> None:
    async def story() -> None:
        worker = FakeWorker()
        async with running(worker, tmp_path):
            client = WorkerClient(tmp_path)
            assert (await asyncio.to_thread(client.status)).worker_id == "w1"

            def drain() -> list[DrainLine]:
                lines = []
                for line in client.drain(12.5):
                    lines.append(line)
                    if len(lines) == 2:
                        # Both lines came before the end: they are streamed, not collected.
                        assert client.status().state == "draining"
                        loop.call_soon_threadsafe(worker.ended.set)
                return lines

            loop = asyncio.get_running_loop()
            lines = await asyncio.to_thread(drain)
            assert [line.event for line in lines] == ["waiting", "waiting", "done"]
            assert lines[2].left == 0
            assert worker.drained_with == [12.5]
            assert (await asyncio.to_thread(client.undrain)).state == "ready"
            assert (await asyncio.to_thread(client.cancel, JobRef("t", "j1"))).outcome == "cancelling"
            assert (await asyncio.to_thread(client.cancel, JobRef("other", "j1"))).outcome == "unknown"
            worker.state = "stopped"
            with pytest.raises(WorkerRefused, match="is stopping"):
                await asyncio.to_thread(client.undrain)

    on_both_loops(story)


def on_both_loops(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(story())
    uvloop.run(story())


async def test_who_stops_listening_to_a_drain_does_not_stop_it(tmp_path: Path) -> None:
    worker = FakeWorker()
    async with running(worker, tmp_path) as endpoints:
        reader, writer = await asyncio.open_unix_connection(tmp_path / CONTROL_SOCKET)
        writer.write(b"POST /drain HTTP/1.1\r\nHost: worker\r\nContent-Length: 2\r\n\r\n{}")
        await reader.readuntil(b"j2")
        writer.close()
        await writer.wait_closed()
        await get(endpoints, "/healthz")
        worker.ended.set()
        await worker.done.wait()
    assert not worker.left_early
    assert worker.drained_with == [None]


async def test_a_drain_that_is_refused_is_told_before_any_line(tmp_path: Path) -> None:
    worker = FakeWorker()
    worker.state = "starting"
    async with running(worker, tmp_path):
        with pytest.raises(WorkerRefused, match="not up yet"):
            await asyncio.to_thread(lambda: list(WorkerClient(tmp_path).drain()))


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/drain", b'{"deadline": 3}', "unknown field `deadline`"),
        ("/drain", b'{"deadline_seconds": -1}', "below 0"),
        ("/drain", b'{"deadline_seconds": "x"}', "deadline_seconds"),
        ("/cancel", b"{}", "job"),
        ("/cancel", b'{"job": {"job_id": "1", "tenant_id": "a/b"}}', "tenant_id"),
        ("/cancel", b"not json", "malformed"),
        ("/cancel", b" " * 70_000, "too large"),
    ],
)
async def test_a_wrong_request_is_answered_in_words(tmp_path: Path, path: str, body: bytes, words: str) -> None:
    async with running(FakeWorker(), tmp_path):
        transport = httpx.AsyncHTTPTransport(uds=str(tmp_path / CONTROL_SOCKET))
        async with httpx.AsyncClient(transport=transport) as client:
            answer = await client.post(f"http://worker{path}", content=body)
    assert answer.status_code == 400
    assert words in answer.json()["error"]


async def test_only_the_owner_can_open_the_socket(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        async with running(FakeWorker(), tmp_path):
            mode = (tmp_path / CONTROL_SOCKET).stat().st_mode
    finally:
        os.umask(old)
    assert stat.S_ISSOCK(mode)
    assert mode & 0o777 == 0o600
    assert not (tmp_path / CONTROL_SOCKET).exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_is_refused_even_where_the_mode_lets_it_in(tmp_path: Path) -> None:
    """The kernel's word for who is there, against a real connection of another user."""
    code = (
        "import contextlib, os, socket, sys\n"
        "os.setuid(65534)\n"
        "s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n"
        "with contextlib.suppress(BrokenPipeError):\n"
        "    s.sendall(b'POST /resume HTTP/1.1\\r\\nHost: w\\r\\nContent-Length: 0\\r\\n\\r\\n')\n"
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


def test_no_worker_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(WorkerUnreachable, match="no worker answers") as caught:
        WorkerClient(tmp_path).status()
    assert caught.value.exit_code == 3
    with pytest.raises(WorkerUnreachable):
        next(WorkerClient(tmp_path).drain(1))
    # A socket that a killed daemon left behind.
    bind_unix(tmp_path / CONTROL_SOCKET).close()
    with pytest.raises(WorkerUnreachable):
        WorkerClient(tmp_path).status()


def test_a_worker_that_does_not_answer_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    with bind_unix(tmp_path / CONTROL_SOCKET), pytest.raises(WorkerUnreachable, match="went away"):
        WorkerClient(tmp_path, timeout_seconds=0.1).status()


def test_a_socket_left_behind_is_replaced_and_one_in_use_is_not(tmp_path: Path) -> None:
    path = tmp_path / CONTROL_SOCKET
    bind_unix(path).close()
    assert path.exists()
    with bind_unix(path), pytest.raises(OSError, match="another worker"):
        bind_unix(path)
    path.unlink()
    path.write_text("precious")
    with pytest.raises(OSError, match="no socket"):
        bind_unix(path)
    assert path.read_text() == "precious"


def test_a_port_in_use_is_an_error_at_the_start_that_names_it(tmp_path: Path) -> None:
    with bind_tcp("127.0.0.1:0") as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"http.bind 127.0.0.1:{port}"):
            bind_tcp(f"127.0.0.1:{port}")
    assert not (tmp_path / CONTROL_SOCKET).exists()


async def test_signals_stay_the_daemons(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, told.set)
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    try:
        async with running(FakeWorker(), tmp_path) as endpoints:
            assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before
            os.kill(os.getpid(), signal.SIGTERM)
            await told.wait()
            assert (await get(endpoints, "/healthz")).status_code == 200
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


async def test_a_drain_under_way_does_not_hold_up_the_end(tmp_path: Path) -> None:
    worker = FakeWorker()
    loop = asyncio.get_running_loop()
    async with running(worker, tmp_path):
        reader, writer = await asyncio.open_unix_connection(tmp_path / CONTROL_SOCKET)
        writer.write(b"POST /drain HTTP/1.1\r\nHost: worker\r\nContent-Length: 2\r\n\r\n{}")
        await reader.readuntil(b"j2")
        began = loop.time()
    assert loop.time() - began < 5
    writer.close()


async def test_status_is_what_the_struct_says(tmp_path: Path) -> None:
    async with running(FakeWorker(), tmp_path) as endpoints:
        body = json.loads((await get(endpoints, "/status")).content)
    assert set(body) == set(StatusReport.__struct_fields__)


def test_exit_codes_are_the_contracts() -> None:
    assert (ControlError.exit_code, WorkerUnreachable.exit_code, WorkerRefused.exit_code) == (1, 3, 4)

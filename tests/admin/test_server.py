"""The real servers, spoken to over real sockets."""

import asyncio
import json
import os
import signal
import socket
import stat
from pathlib import Path

import pytest
from pw_http import FakeWorker, get, running

from pageworker_supervisor.admin.control_socket import CONTROL_SOCKET
from pageworker_supervisor.admin.server import bind_tcp, bind_unix
from pageworker_supervisor.admin.status import StatusReport


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


@pytest.mark.parametrize("path", ["/drain", "/undrain", "/resume", "/cancel", "/docs", "/"])
async def test_nothing_can_be_changed_over_tcp(tmp_path: Path, path: str) -> None:
    worker = FakeWorker()
    async with running(worker, tmp_path) as endpoints:
        assert (await get(endpoints, path, "POST")).status_code == 404
    assert worker.drained_with == []


async def test_reading_endpoints_only_read(tmp_path: Path) -> None:
    async with running(FakeWorker(), tmp_path) as endpoints:
        assert (await get(endpoints, "/status", "POST")).status_code == 405


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


def test_a_socket_left_behind_is_replaced_and_one_in_use_is_not(tmp_path: Path) -> None:
    path = tmp_path / CONTROL_SOCKET
    bind_unix(path).close()
    assert path.exists()
    with bind_unix(path), pytest.raises(OSError, match="another worker"):
        bind_unix(path)
    path.unlink()
    path.write_text("precious")
    with pytest.raises(OSError, match="is not a socket"):
        bind_unix(path)
    assert path.read_text() == "precious"


def test_a_port_in_use_is_an_error_at_the_start_that_names_it(tmp_path: Path) -> None:
    with bind_tcp("127.0.0.1:0") as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"http.bind 127.0.0.1:{port}: Address already in use; stop the program"):
            bind_tcp(f"127.0.0.1:{port}")
    assert not (tmp_path / CONTROL_SOCKET).exists()


def test_an_address_of_another_host_is_an_error_that_says_what_to_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OSError, match=r"http\.bind 203\.0\.113\.7:9470: .*; choose an address of this host"):
        bind_tcp("203.0.113.7:9470")

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(OSError, match=r"http\.bind w1:9470: Name or service not known; choose an address"):
        bind_tcp("w1:9470")


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


async def test_status_is_what_the_struct_says(tmp_path: Path) -> None:
    async with running(FakeWorker(), tmp_path) as endpoints:
        body = json.loads((await get(endpoints, "/status")).content)
    assert set(body) == set(StatusReport.__struct_fields__)

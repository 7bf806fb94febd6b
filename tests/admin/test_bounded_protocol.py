"""Connections that send nothing, or never come to an end, over real sockets."""

import asyncio
import socket
import time
from pathlib import Path

import pytest
import uvloop
from pw_flood import flood
from pw_http import FakeWorker, get, running
from starlette.types import Receive, Scope, Send

from pageworker_supervisor.admin.bounded_protocol import BoundedProtocol, ConnectionBounds
from pageworker_supervisor.admin.control_socket import CONTROL_SOCKET
from pageworker_supervisor.admin.server import (
    Endpoints,
    HttpBounds,
    bind_tcp,
    connection_table,
    embedded_server,
    serve_on,
)
from pageworker_supervisor.telemetry.metrics import Metrics

QUICK = HttpBounds(head_seconds=0.3, answer_seconds=0.5)
REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def connected(endpoints: Endpoints) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", endpoints.address[1])


async def cut(reader: asyncio.StreamReader) -> float:
    """Seconds until the other end has closed."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(5):
            while await reader.read(4096):
                pass
    except ConnectionResetError:
        pass
    return time.monotonic() - began


async def drip(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Single bytes, until the other end closes."""
    try:
        for byte in data * 100:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.02)
    except ConnectionError:
        pass


@pytest.mark.parametrize("sent", [b"", b"GET /heal", b"G", REQUEST[:-2], b"POST /healthz HTTP/1.1\r\nHost: x\r\n"])
async def test_a_head_that_never_ends_is_cut(tmp_path: Path, sent: bytes) -> None:
    metrics = Metrics()
    async with running(FakeWorker(), tmp_path, QUICK, metrics) as endpoints:
        reader, writer = await connected(endpoints)
        writer.write(sent)
        assert 0.2 < await cut(reader) < 2
        writer.close()
    assert 'dropped_total{reason="head_timeout"} 1.0' in metrics.expose().decode()


async def test_one_byte_now_and_then_does_not_move_the_deadline(tmp_path: Path) -> None:
    async with running(FakeWorker(), tmp_path, QUICK) as endpoints, asyncio.TaskGroup() as tasks:
        reader, writer = await connected(endpoints)
        dripping = tasks.create_task(drip(writer, b"GET /healthz HTTP/1.1\r\nX: " + b"y" * 500))
        assert await cut(reader) < 2
        dripping.cancel()
        writer.close()


async def test_a_connection_that_is_used_again_has_its_time_again(tmp_path: Path) -> None:
    async with running(FakeWorker(), tmp_path, HttpBounds(head_seconds=0.8, answer_seconds=0.5)) as endpoints:
        reader, writer = await connected(endpoints)
        for _ in range(3):
            writer.write(REQUEST)
            assert b"alive" in await reader.readuntil(b"}\n")
            await asyncio.sleep(0.3)
        assert await cut(reader) < 2
        writer.close()


async def test_pipelined_requests_are_all_answered(tmp_path: Path) -> None:
    async with running(FakeWorker(), tmp_path, QUICK) as endpoints:
        reader, writer = await connected(endpoints)
        writer.write(REQUEST * 20)
        for _ in range(20):
            assert b"alive" in await reader.readuntil(b"}\n")
        assert await cut(reader) < 2
        writer.close()


async def test_an_answer_that_the_client_does_not_read_is_cut(tmp_path: Path) -> None:
    """More of them than the socket's buffers hold."""
    metrics = Metrics()
    async with running(FakeWorker(), tmp_path, QUICK, metrics) as endpoints:
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.setblocking(False)
            await asyncio.get_running_loop().sock_connect(deaf, ("127.0.0.1", endpoints.address[1]))
            request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
            async with asyncio.timeout(20):
                while 'reason="answer_timeout"' not in (await get(endpoints, "/metrics")).text:
                    try:
                        deaf.send(request * 50)
                    except BlockingIOError:
                        await asyncio.sleep(0.05)
                    except ConnectionError:
                        # It is cut. The count of that follows in a moment.
                        await asyncio.sleep(0.05)


async def test_a_new_connection_takes_the_place_of_the_oldest_idle_one(tmp_path: Path) -> None:
    metrics = Metrics()
    async with running(FakeWorker(), tmp_path, HttpBounds(connections=10), metrics) as endpoints:
        idle = [await connected(endpoints) for _ in range(12)]
        assert (await get(endpoints, "/healthz")).status_code == 200
        for reader, _ in idle[:2]:
            assert await cut(reader) < 1
        assert not idle[-1][0].at_eof()
        for _, writer in idle:
            writer.close()
    assert 'dropped_total{reason="crowded"} 3.0' in metrics.expose().decode()


def test_probes_are_answered_beside_two_thousand_idle_and_two_hundred_slow_connections(tmp_path: Path) -> None:
    async def story() -> None:
        async with running(FakeWorker(), tmp_path) as endpoints, flood(endpoints.address[1], idle=2000, slow=200):
            for _ in range(100):
                assert (await get(endpoints, "/healthz")).status_code == 200
                assert (await get(endpoints, "/readyz")).status_code == 200

    asyncio.run(story())
    uvloop.run(story())


@pytest.mark.parametrize("host", ["evil.example", "evil.example:9470", "127.0.0.1.evil.example", ""])
async def test_a_foreign_host_is_refused_on_every_path(tmp_path: Path, host: str) -> None:
    bounds = HttpBounds(allowed_hosts=("pw.example",))
    async with running(FakeWorker(), tmp_path, bounds) as endpoints:
        for path in ("/healthz", "/readyz", "/metrics", "/status", "/none"):
            answer = await get(endpoints, path, Host=host)
            assert answer.status_code == 421
            assert "http.allowed_hosts" in answer.text
            assert "r1" not in answer.text
        assert (await get(endpoints, "/status", Host="pw.example:80")).status_code == 200


async def test_the_control_socket_is_bounded_too(tmp_path: Path) -> None:
    async with running(FakeWorker(), tmp_path, QUICK):
        idle = [await asyncio.open_unix_connection(tmp_path / CONTROL_SOCKET) for _ in range(100)]
        reader, writer = await asyncio.open_unix_connection(tmp_path / CONTROL_SOCKET)
        writer.write(b"GET /status HTTP/1.1\r\nHost: worker\r\nConnection: close\r\n\r\n")
        assert b"worker_id" in await reader.read()
        assert not idle[0][0].at_eof()
        for silent, _ in idle:
            assert await cut(silent) < 2
        for _, each in [*idle, (reader, writer)]:
            each.close()


async def test_a_body_that_never_ends_is_cut(tmp_path: Path) -> None:
    async with running(FakeWorker(), tmp_path, QUICK):
        reader, writer = await asyncio.open_unix_connection(tmp_path / CONTROL_SOCKET)
        writer.write(b"POST /cancel HTTP/1.1\r\nHost: worker\r\nContent-Length: 10\r\n\r\n{")
        answer = await asyncio.wait_for(reader.readuntil(b"}\n"), 15)
        assert b"400" in answer
        assert b"did not arrive" in answer
        writer.close()


async def test_an_idle_connection_may_have_a_time_of_its_own() -> None:
    """It stays open longer than a head may take. The first byte of the next request starts the time of its head."""
    table = connection_table(16)
    dropped: list[str] = []
    bounds = ConnectionBounds(table, dropped.append, head_seconds=0.2, answer_seconds=None, idle_seconds=30.0)

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    listener = bind_tcp("127.0.0.1:0")
    port = listener.getsockname()[1]
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(serve_on(embedded_server(app, BoundedProtocol, bounds), listener))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.timeout(30):
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert await reader.readuntil(b"\r\n\r\n")
            silent, other = await asyncio.open_connection("127.0.0.1", port)
            await cut(silent)
            assert dropped == ["head_timeout"], "the one that never sent a head"
            writer.write(b"G")
            await cut(reader)
        assert dropped == ["head_timeout", "head_timeout"]
        serving.cancel()
        for each in (writer, other):
            each.transport.abort()

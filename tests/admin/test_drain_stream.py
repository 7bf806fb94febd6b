"""A drain and its clients are independent of each other."""

import asyncio
from pathlib import Path

import pytest
from pw_http import FakeWorker, get, running

from pageworker_supervisor.admin.control_client import WorkerClient
from pageworker_supervisor.admin.control_socket import CONTROL_SOCKET
from pageworker_supervisor.admin.errors import WorkerRefused


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

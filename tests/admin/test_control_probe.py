"""The daemon's request to its own control socket."""

import asyncio
from pathlib import Path

import pytest
from pw_http import FakeWorker, running

from pageworker_supervisor.admin.control_probe import control_answers
from pageworker_supervisor.admin.control_socket import control_path
from pageworker_supervisor.admin.server import bind_unix


async def test_a_worker_that_serves_answers(tmp_path: Path) -> None:
    async with running(FakeWorker(), tmp_path):
        assert await control_answers(control_path(tmp_path), 10)


async def test_silence_and_absence_are_no_answers(tmp_path: Path) -> None:
    path = control_path(tmp_path)
    assert not await control_answers(path, 10)
    with bind_unix(path):
        # The kernel accepts the connection, as for a process that hangs.
        assert not await control_answers(path, 0.05)
    assert not await control_answers(path, 10)


@pytest.mark.parametrize("reply", [b"HTTP/1.1 500 Internal Server Error\r\n\r\n", b""], ids=["error", "closed"])
async def test_another_answer_does_not_count(tmp_path: Path, reply: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply)
        writer.close()

    path = tmp_path / "control.sock"
    async with await asyncio.start_unix_server(serve, path):
        assert not await control_answers(path, 10)

"""`workerctl` and the worker, over a real control socket."""

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop
from pw_http import FakeWorker, running

from pageworker_supervisor.admin.control_client import WorkerClient
from pageworker_supervisor.admin.control_socket import CONTROL_SOCKET
from pageworker_supervisor.admin.errors import WorkerRefused, WorkerUnreachable
from pageworker_supervisor.admin.server import bind_unix
from pageworker_supervisor.admin.status import DrainLine
from pageworker_supervisor.contract.job import JobRef


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
    with bind_unix(tmp_path / CONTROL_SOCKET), pytest.raises(WorkerUnreachable, match="did not answer"):
        WorkerClient(tmp_path, timeout_seconds=0.1).status()


async def test_no_certificates_are_read_for_a_unix_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To read them takes longer than all the rest."""

    def read(*_: object, **__: object) -> None:
        raise AssertionError("the certificates of the host are read")

    monkeypatch.setattr(ssl, "create_default_context", read)
    async with running(FakeWorker(), tmp_path):
        assert (await asyncio.to_thread(WorkerClient(tmp_path).status)).worker_id == "w1"


def test_workerctl_drains_and_undrains_over_the_socket(tmp_path: Path) -> None:
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

"""What a service manager is told, over a real datagram socket, of a worker that does nothing but what a test says."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pw_http import FakeWorker, running

from pageworker_supervisor.admin.control_socket import control_path
from pageworker_supervisor.admin.errors import WorkerRefused
from pageworker_supervisor.config.errors import ConfigInvalid, ConfigProblem
from pageworker_supervisor.config.load import LocalLayers, read_local
from pageworker_supervisor.host.service_manager import ServiceManager
from pageworker_supervisor.service_reports import ServiceReports
from pageworker_supervisor.telemetry import log

WATCHDOG_SECONDS = 0.4
LONGEST_STOP_SECONDS = 75.0


class QuietWorker(FakeWorker):
    """It makes progress, and takes every file, until it is told otherwise."""

    longest_stop_seconds = LONGEST_STOP_SECONDS

    def __init__(self) -> None:
        super().__init__()
        self.stop = asyncio.Event()
        self.came_up = False
        self.turns = True
        self.refusal: Exception | None = None
        self.reloads = 0

    async def proves_progress(self, seconds: float) -> bool:
        return self.turns

    async def reload(self, local: LocalLayers) -> tuple[str, ...]:
        self.reloads += 1
        if self.refusal is not None:
            raise self.refusal
        return ("http.bind",)


class Told:
    """The messages that the manager gets, each a list of lines."""

    def __init__(self, reports: ServiceReports, worker: QuietWorker, inbox: "asyncio.Queue[list[str]]") -> None:
        self.reports = reports
        self.worker = worker
        self._inbox = inbox

    async def next_with(self, line: str) -> list[str]:
        """Wait for the next message that has a line which begins so."""
        async with asyncio.timeout(10):
            while True:
                message = await self._inbox.get()
                if any(one.startswith(line) for one in message):
                    return message

    def forget(self) -> None:
        """What has come so far."""
        while not self._inbox.empty():
            self._inbox.get_nowait()

    async def silent(self, line: str, seconds: float) -> bool:
        """Whether no message with such a line comes within `seconds`."""
        self.forget()
        try:
            async with asyncio.timeout(seconds):
                await self.next_with(line)
        except TimeoutError:
            return True
        return False


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, inbox: "asyncio.Queue[list[str]]") -> None:
        self._inbox = inbox

    def datagram_received(self, data: bytes, addr: object) -> None:
        self._inbox.put_nowait(data.decode().split("\n"))


@asynccontextmanager
async def told(folder: Path, watchdog_seconds: float | None = None) -> AsyncIterator[Told]:
    """A worker whose reports are received, with a real control socket."""
    inbox: asyncio.Queue[list[str]] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    address = folder / "notify"
    transport, _ = await loop.create_datagram_endpoint(
        lambda: _Datagrams(inbox), local_addr=str(address), family=socket.AF_UNIX
    )
    manager = ServiceManager(str(address), watchdog_seconds)
    worker = QuietWorker()
    reports = ServiceReports(manager, worker, control_path(folder), lambda: read_local(None, {}))
    async with running(worker, folder), asyncio.TaskGroup() as tasks:
        task = tasks.create_task(reports.run())
        try:
            yield Told(reports, worker, inbox)
        finally:
            task.cancel()
            manager.close()
            transport.close()


async def test_a_start_is_prolonged_until_the_worker_takes_jobs(tmp_path: Path) -> None:
    async with told(tmp_path) as heard:
        heard.worker.state = "starting"
        assert await heard.next_with("EXTEND_TIMEOUT_USEC=") == [
            "EXTEND_TIMEOUT_USEC=60000000",
            "STATUS=starting: an operator asked",
        ]
        heard.worker.turns = False
        heard.worker.came_up = True
        assert await heard.silent("READY=1", 0.7), "it is up, and claims nothing yet"
        heard.worker.turns, heard.worker.state = True, "ready"
        assert await heard.next_with("READY=1") == ["READY=1", "STATUS=ready: 0 jobs run, 1 runners"]


async def test_a_stop_is_told_at_once_with_the_time_that_it_may_take(tmp_path: Path) -> None:
    async with told(tmp_path) as heard:
        heard.worker.came_up = True
        await heard.next_with("READY=1")
        heard.worker.stop.set()
        heard.reports.stopping()
        assert await heard.next_with("STOPPING=1") == [
            "STOPPING=1",
            "EXTEND_TIMEOUT_USEC=75000000",
            "STATUS=stopping: 0 jobs run",
        ]


async def test_the_watchdog_is_fed_while_the_worker_proves_progress(tmp_path: Path) -> None:
    async with told(tmp_path, WATCHDOG_SECONDS) as heard:
        heard.worker.came_up = True
        await heard.next_with("READY=1")
        for _ in range(3):
            await heard.next_with("WATCHDOG=1")
        heard.worker.turns = False
        await asyncio.sleep(0)
        assert await heard.silent("WATCHDOG=1", 2 * WATCHDOG_SECONDS)
        heard.worker.turns = True
        await heard.next_with("WATCHDOG=1")


async def test_a_control_socket_that_does_not_answer_is_no_progress(tmp_path: Path) -> None:
    async with told(tmp_path, WATCHDOG_SECONDS) as heard:
        await heard.next_with("WATCHDOG=1")
        control_path(tmp_path).unlink()
        assert await heard.silent("WATCHDOG=1", 2 * WATCHDOG_SECONDS)


@pytest.mark.parametrize("stops", [False, True])
async def test_a_missing_sign_of_life_is_logged_but_not_while_the_worker_stops(tmp_path: Path, stops: bool) -> None:
    logged: list[str] = []
    async with told(tmp_path, WATCHDOG_SECONDS) as heard:
        await heard.next_with("WATCHDOG=1")
        if stops:
            heard.worker.stop.set()
        sink = log.add(lambda message: logged.append(message.record["message"]), level="ERROR")
        try:
            control_path(tmp_path).unlink()
            assert await heard.silent("WATCHDOG=1", WATCHDOG_SECONDS)
        finally:
            log.remove(sink)
    assert bool(logged) is not stops


async def test_a_reload_begins_and_ends_for_the_manager(tmp_path: Path) -> None:
    async with told(tmp_path) as heard:
        heard.worker.came_up = True
        await heard.next_with("READY=1")
        before = time.monotonic_ns() // 1000
        heard.reports.hangup.set()
        begun = await heard.next_with("RELOADING=1")
        assert before <= int(begun[1].removeprefix("MONOTONIC_USEC=")) <= time.monotonic_ns() // 1000
        assert (await heard.next_with("READY=1"), heard.worker.reloads) == (
            ["READY=1", "STATUS=ready: 0 jobs run, 1 runners"],
            1,
        )


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        (ConfigInvalid((ConfigProblem("f.toml:1", "pool.runners", "0", "1 or more"),)), "pool.runners, found 0"),
        (WorkerRefused("the worker is not up yet"), "the worker is not up yet"),
    ],
    ids=["invalid", "early"],
)
async def test_a_refused_reload_is_in_the_status_until_one_is_taken(
    tmp_path: Path, refusal: Exception, reason: str
) -> None:
    async with told(tmp_path) as heard:
        heard.worker.came_up = True
        await heard.next_with("READY=1")
        heard.worker.refusal = refusal
        heard.reports.hangup.set()
        ended = await heard.next_with("READY=1")
        assert f"The last reload was refused: {reason}" in ended[1]
        heard.worker.refusal = None
        heard.reports.hangup.set()
        assert "refused" not in (await heard.next_with("READY=1"))[1]


async def test_a_reload_does_not_take_a_stop_back(tmp_path: Path) -> None:
    async with told(tmp_path) as heard:
        heard.worker.came_up = True
        await heard.next_with("READY=1")
        heard.worker.stop.set()
        heard.reports.stopping()
        heard.reports.hangup.set()
        await heard.next_with("RELOADING=1")
        assert await heard.silent("READY=1", 0.3)

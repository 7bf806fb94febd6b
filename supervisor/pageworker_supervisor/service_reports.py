"""Reports the worker to the service manager, as long as the daemon runs, and reads the file again on SIGHUP.

The manager gets a watchdog message only for proven progress: the event loop has turned, the claim loop has made a
round or is known to wait for Redis, and the control socket answers. An outage of Redis is no reason for a restart.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, Protocol

from pageworker_sandbox.task_group import TaskGroup
from pageworker_supervisor.admin.control_probe import control_answers
from pageworker_supervisor.admin.errors import WorkerRefused
from pageworker_supervisor.admin.status import StatusReport
from pageworker_supervisor.config.errors import ConfigInvalid
from pageworker_supervisor.config.load import LocalLayers
from pageworker_supervisor.host.service_manager import ServiceManager, extend_line, status_line
from pageworker_supervisor.telemetry import log

REPORT_SECONDS = 5.0
START_SECONDS = 60.0
"""A start may take as long as Redis is away. The manager waits this long for each next sign of it."""
PROOFS_PER_WATCHDOG = 4
"""One of them may fail without a restart: a proof that comes late by a busy host is repeated."""


class ReportedWorker(Protocol):
    """What is reported."""

    stop: asyncio.Event

    @property
    def came_up(self) -> bool:
        """Whether it ever took jobs."""

    @property
    def longest_stop_seconds(self) -> float:
        """From the moment when `stop` is set to the end, at most."""

    def status(self) -> StatusReport:
        """State, runners and jobs."""

    async def proves_progress(self, seconds: float) -> bool:
        """Whether the claim loop turns, or has no reason to."""

    async def reload(self, local: LocalLayers) -> tuple[str, ...]:
        """Use another file. Raises ConfigInvalid and WorkerRefused."""


class ServiceReports:
    """One daemon's reports. `run` and `stop` are called once each."""

    def __init__(
        self, manager: ServiceManager, worker: ReportedWorker, control: Path, read_again: Callable[[], LocalLayers]
    ) -> None:
        """`control`: the worker's control socket. `read_again` reads the file."""
        self.hangup = asyncio.Event()
        """Set by SIGHUP."""
        self._manager = manager
        self._worker = worker
        self._control = control
        self._read_again = read_again
        self._ready = False
        self._refusal = ""
        """Why the last reload changed nothing."""

    async def run(self) -> NoReturn:
        """Report until cancelled."""
        async with TaskGroup() as tasks:
            tasks.create_task(self._follow_hangups(), name="reload")
            if self._manager.watchdog_seconds is not None:
                tasks.create_task(self._feed_watchdog(self._manager.watchdog_seconds), name="watchdog")
            if not self._manager.present:
                await asyncio.Event().wait()
            while True:
                await self._report()
                await asyncio.sleep(REPORT_SECONDS if self._ready else REPORT_SECONDS / 10)

    def stopping(self) -> None:
        """The worker was told to stop. It is reported at once, because the drain may take long."""
        self._manager.send("STOPPING=1", extend_line(self._worker.longest_stop_seconds), self._status())

    async def _report(self) -> None:
        if self._worker.stop.is_set() or self._ready:
            self._manager.send(self._status())
        elif self._worker.came_up and await self._worker.proves_progress(REPORT_SECONDS):
            self._ready = True
            self._manager.send("READY=1", self._status())
        else:
            self._manager.send(extend_line(START_SECONDS), self._status())

    def _status(self) -> str:
        now = self._worker.status()
        about = f"stopping: {len(now.jobs)} jobs run" if self._worker.stop.is_set() else now.state
        if about == "ready":
            about += f": {len(now.jobs)} jobs run, {len(now.runners)} runners"
        elif now.reason not in ("", about):
            about += f": {now.reason}"
        return status_line(about + (f". The last reload was refused: {self._refusal}" if self._refusal else ""))

    async def _feed_watchdog(self, watchdog_seconds: float) -> NoReturn:
        pause = watchdog_seconds / PROOFS_PER_WATCHDOG
        while True:
            began = time.monotonic()
            if await self._proven(pause):
                self._manager.send("WATCHDOG=1")
            await asyncio.sleep(max(0.0, began + pause - time.monotonic()))

    async def _proven(self, seconds: float) -> bool:
        turns, answers = await asyncio.gather(
            self._worker.proves_progress(seconds), control_answers(self._control, seconds)
        )
        # A worker that stops closes its control socket before it has ended.
        if not (turns and answers) and not self._worker.stop.is_set():
            what = "the claim loop does not turn" if not turns else "the control socket does not answer"
            log.error("no sign of life for the service manager", reason=what, seconds=round(seconds, 3))
        return turns and answers

    async def _follow_hangups(self) -> NoReturn:
        while True:
            await self.hangup.wait()
            self.hangup.clear()
            if not self._ready:
                await self._reload()
                continue
            # The manager takes the next READY=1 for the end of this reload only if this time is that of the message.
            self._manager.send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
            await self._reload()
            # READY=1 after STOPPING=1 would take the stop back.
            self._manager.send(*(() if self._worker.stop.is_set() else ("READY=1",)), self._status())

    async def _reload(self) -> None:
        try:
            waiting = await self._worker.reload(await asyncio.to_thread(self._read_again))
        except ConfigInvalid as invalid:
            self._refuse("; ".join(problem.line() for problem in invalid.problems))
        except WorkerRefused as refused:
            self._refuse(str(refused))
        else:
            self._refusal = ""
            log.info("configuration read again", waiting_for_restart=list(waiting))

    def _refuse(self, reason: str) -> None:
        self._refusal = reason
        log.error("configuration not read again: nothing has changed", reason=reason)

"""The HTTP API as a child process of the worker, for hosts that have one service: `api.with_worker`.

It is the program `pageworker-api`, with the file and the variables of the worker. It starts when the worker is up,
because the worker starts the embedded Redis. It starts again after it has ended, and stops with the worker. It has no
capability and can gain none, and the kernel ends it when the worker ends.
"""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from pageworker_sandbox.task_group import TaskGroup
from pageworker_supervisor.backoff import Backoff
from pageworker_supervisor.host.process_end import end_process
from pageworker_supervisor.redis_client.embedded import EXEC_SCRIPT
from pageworker_supervisor.telemetry import log
from pageworker_supervisor.telemetry.metrics.health_metrics import HealthMetrics

FIRST_SECONDS, LONGEST_SECONDS = 1.0, 60.0
"""Between its end and the next start: twice as long after each one, up to the second."""
STEADY_SECONDS = 60.0
"""A process that ran for this time is not one of a row of failed starts."""
STOP_SECONDS = 15.0
"""After this it is killed. Requests that are answered then are cut off."""
LOOK_SECONDS = 0.25
PASSED = "PAGEWORKER_"


class ParentWorker(Protocol):
    """What is asked of the worker."""

    stop: asyncio.Event

    @property
    def came_up(self) -> bool:
        """Whether it ever took jobs."""


class ApiChild:
    """One API process at a time. `run` is called once."""

    def __init__(
        self, worker: ParentWorker, metrics: HealthMetrics, config: Path | None, environ: Mapping[str, str]
    ) -> None:
        """`config`: the file that the worker was started with; None: the one that the variable names."""
        self._worker = worker
        self._metrics = metrics
        self._config = config
        self._environ = {name: value for name, value in environ.items() if name.startswith(PASSED)}
        self._backoff = Backoff(FIRST_SECONDS, LONGEST_SECONDS)

    async def run(self) -> None:
        """Keep the API running until the worker stops."""
        while not self._worker.came_up:
            if await self._stops_within(LOOK_SECONDS):
                return
        while not self._worker.stop.is_set():
            began = time.monotonic()
            process = await self._start()
            self._metrics.api_up.set(1)
            try:
                await self._until_end(process)
            finally:
                self._metrics.api_up.set(0)
                await end_process(process, STOP_SECONDS)
            if self._worker.stop.is_set():
                log.info("the HTTP API has stopped")
                return
            if time.monotonic() - began > STEADY_SECONDS:
                self._backoff.reset()
            self._backoff.pause(time.monotonic())
            seconds = self._backoff.remaining_seconds(time.monotonic())
            self._metrics.api_ends.inc()
            log.error("the HTTP API has ended", exit_code=process.returncode, again_in_seconds=round(seconds, 1))
            await self._stops_within(seconds)

    async def _start(self) -> asyncio.subprocess.Process:
        options = () if self._config is None else ("--config", str(self._config))
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", str(EXEC_SCRIPT), str(os.getpid()), "-", "-", "."),
            *(sys.executable, "-I", "-m", "pageworker_supervisor.api.process", *options),
            stdin=asyncio.subprocess.DEVNULL,
            env=self._environ,
            # Ctrl-C in a terminal signals the whole process group, but the worker says when the API stops.
            start_new_session=True,
        )

    async def _until_end(self, process: asyncio.subprocess.Process) -> None:
        """Until the process has ended, or is to end."""
        async with TaskGroup() as tasks:
            waits = [tasks.create_task(process.wait()), tasks.create_task(self._worker.stop.wait())]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for each in waits:
                each.cancel()

    async def _stops_within(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._worker.stop.wait()
        return self._worker.stop.is_set()

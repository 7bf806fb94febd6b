"""One attempt while it runs: what the supervisor asked for, what may end it from outside, and which page it has."""

import asyncio
import time

from pageworker import Context
from pageworker_runner.attempts import attempt_result
from pageworker_runner.attempts.attempt_result import AttemptResult
from pageworker_runner.modules.catalog import ModuleVersion
from pageworker_runner.pages.slot import PageSlot
from pageworker_runner.reporting.artifact_sink import AttemptSink
from pageworker_sandbox.wire import messages as m


class RunningAttempt:
    """An attempt between its Run and its Free. Times are monotonic seconds."""

    def __init__(self, run: m.Run, version: ModuleVersion, sink: AttemptSink) -> None:
        self.run = run
        self.version = version
        self.sink = sink
        self.label = f"{run.module}@{run.version}"
        self.began = time.monotonic()
        """When its handler began; until then, when its Run arrived."""
        self.deadline = self.began + run.timeout_seconds
        self.forced_result: asyncio.Future[AttemptResult] = asyncio.get_running_loop().create_future()
        """How it ends if something outside its handler decides: a cancel, a crashed page, a lost browser."""
        self.slot: PageSlot | None = None
        self.handler_began = False

    @property
    def attempt_id(self) -> str:
        """The supervisor's name of the attempt."""
        return self.run.attempt_id

    def begin(self, slot: PageSlot) -> None:
        """The handler begins on this page."""
        self.slot = slot
        self.handler_began = True
        self.began = time.monotonic()

    def why_not_begin(self) -> AttemptResult | None:
        """The result of an attempt whose handler must not begin any more. None: it may begin."""
        if self.forced_result.done():
            return self.forced_result.result()
        before = self.run.begin_before
        if before is not None and time.clock_gettime(time.CLOCK_BOOTTIME) >= before:
            return attempt_result.stopped("expired")
        return None

    def context(self, worker_id: str, runner_id: str) -> Context:
        """The attempt as the module sees it."""
        run = self.run
        return Context(
            job_id=run.job_id,
            tenant_id=run.tenant_id,
            profile_id=run.profile_id,
            attempt=run.attempt,
            trace_id=run.trace_id,
            module=run.module,
            version=run.version,
            worker_id=worker_id,
            runner_id=runner_id,
            deadline=self.deadline,
        )

"""Decides who caused a failed start: the browser context, the host, or neither, and what that means for the jobs.

If the error alone does not tell, another start decides: if it comes up, the context is to blame; if not, the host.
"""

import asyncio
import time
from collections.abc import Callable

from pageworker_sandbox.state_machine import label
from pageworker_supervisor.audit.decisions import Decisions
from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.runners.errors import RunnerFailure, RunnerLost, SpawnFailed
from pageworker_supervisor.runners.start_failure import Blame, StartFailure
from pageworker_supervisor.runners.start_history import StartHistory
from pageworker_supervisor.telemetry import log
from pageworker_supervisor.telemetry.metrics import Metrics


class StartJudge:
    """The starts of one worker. `changed` is called when it becomes known whether runners may start."""

    def __init__(self, worker_id: str, metrics: Metrics, decisions: Decisions, changed: Callable[[], None]) -> None:
        self.history = StartHistory()
        self._worker_id = worker_id
        self._metrics = metrics
        self._decisions = decisions
        self._changed = changed
        self._news = asyncio.Event()
        """Set, and replaced, whenever a start has told something of the host."""
        self._resting = False

    def rest(self) -> None:
        """No runner starts until `resume`: what is undecided stays unblamed."""
        self._resting = True
        self._tell()

    def resume(self) -> None:
        """Runners start again."""
        self._resting = False

    def came_up(self, context: ContextKey, *, probe: bool) -> None:
        """A runner is ready. `probe`: its context failed to come up before."""
        if probe:
            self.history.decided(context)
        if self.history.host.closed:
            log.info("browsers start again")
            self._decisions.record("host.open", self._worker_id)
        self.history.came_up(context, time.monotonic())
        self._metrics.runners.contexts_broken(self.history.broken())
        self._tell()

    async def judge(self, context: ContextKey, failure: StartFailure, began: float, ended: float) -> RunnerFailure:
        """The error for the jobs of a runner that did not come up. Waits for another start if that has to decide."""
        blame = failure.blame
        if blame is Blame.HOST:
            self.blame_host(failure)
        elif blame is Blame.UNKNOWN:
            blame = await self._find_out(context, began, ended)
        self._metrics.runners.start_failed(label(blame))
        match blame:
            case Blame.CONTEXT:
                opened_before = self.history.broken()
                broken = self.history.failed(context, failure, time.monotonic())
                if self.history.broken() > opened_before:
                    detail = {"profile": context.profile_id or "", "error": failure.type}
                    self._decisions.record(
                        "breaker.open", f"tenant {context.tenant_id}", reason=failure.summary, detail=detail
                    )
                return broken if failure.charged else SpawnFailed(failure.summary)
            case Blame.HOST:
                return SpawnFailed(f"no browser starts on {self._worker_id}: {failure.summary}")
            case _:
                return RunnerLost(failure.summary, charged=False)

    def judged(self, context: ContextKey, *, probe: bool) -> None:
        """The jobs of that runner have their error."""
        self.history.decided(context)
        if probe:
            self.history.decided(context)
        self._metrics.runners.contexts_broken(self.history.broken())
        self._changed()

    def blame_host(self, failure: StartFailure) -> None:
        """The host made a start fail."""
        host = self.history.host
        if not host.closed:
            self._decisions.record("host.close", self._worker_id, reason=failure.summary)
        host.failed(time.monotonic(), failure.summary)
        log.error("the host failed a start", reason=failure.summary, failures=host.failures)
        self._tell()

    async def _find_out(self, context: ContextKey, began: float, ended: float) -> Blame:
        while True:
            news = self._news
            blame = self.history.blame_for(context, began, ended)
            if blame is not Blame.UNKNOWN:
                return blame
            if self._resting:
                return Blame.NONE
            self.history.host.doubt()
            self._changed()
            await news.wait()

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()
        self._changed()

"""Keeps as many spare runners up as the settings say. What is decided is in spares.py."""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn

from pageworker_sandbox.egress.errors import InvalidPolicy
from pageworker_sandbox.egress.policy import CompiledPolicy
from pageworker_sandbox.launch.pressure import cpu_busy_percent
from pageworker_sandbox.state_machine import label
from pageworker_supervisor.backoff import Backoff
from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.runners.browser_flavors import FlavorMissing
from pageworker_supervisor.runners.errors import SpawnFailed
from pageworker_supervisor.runners.resources import RunnerResources
from pageworker_supervisor.runners.runner import Runner
from pageworker_supervisor.runners.runner_state import RunnerState
from pageworker_supervisor.runners.spares import (
    SPARE,
    Situation,
    SpareView,
    select_spare,
    start_spare,
    surplus_spares,
    unfit,
)
from pageworker_supervisor.runners.start_failure import Blame, StartFailure
from pageworker_supervisor.runners.start_history import HostState
from pageworker_supervisor.runners.start_judge import StartJudge

LOOK_SECONDS = 1.0
"""Between two looks while a spare is missing: nothing tells that a job has begun, or that a processor is free."""
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
"""The pause after a spare that did not start: at first, and at most."""


@dataclass(frozen=True)
class SpareEffects:
    """What the keeper needs of the fleet."""

    start: Callable[[], None]
    """Start a spare. It is among the runners at once."""
    may_start: Callable[[], bool]
    resources: Callable[[], RunnerResources]


class SpareKeeper:
    """The spares of one worker. `runners`: all of its runners, by id."""

    def __init__(self, runners: Mapping[str, Runner], judge: StartJudge, effects: SpareEffects) -> None:
        self._runners = runners
        self._judge = judge
        self._effects = effects
        self._changed = asyncio.Event()
        self._missing_since = time.monotonic()
        self._backoff = Backoff(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)

    def look(self) -> None:
        """Settings, or the spares, have changed."""
        self._changed.set()

    def came_up(self) -> None:
        """A spare is up."""
        self._backoff.reset()

    def gone(self, failure: StartFailure | None) -> None:
        """A spare is gone. `failure`: why it did not come up. The host is to blame, or a probe tells."""
        if failure is not None and failure.blame is not Blame.NONE:
            self._effects.resources().metrics.runners.start_failed(label(failure.blame))
            self._backoff.pause(time.monotonic())
            if failure.blame is Blame.HOST:
                self._judge.blame_host(failure)
            else:
                self._judge.history.host.doubt()
        self.look()

    def choose(self, context: ContextKey) -> str | None:
        """A spare that is up and can serve this context; None if there is none."""
        chosen = select_spare(self._views())
        if chosen is None:
            return None
        resources = self._effects.resources()
        try:
            # A policy that is not valid has to end in a start that fails, which blames its context.
            CompiledPolicy(resources.policy(context))
            browser = resources.browsers.flavor(SPARE)
            return None if unfit(resources.wants(context), browser, resources.pages(SPARE)) else chosen
        except (FlavorMissing, InvalidPolicy, SpawnFailed):
            return None

    async def run(self) -> NoReturn:
        """Start and retire spares for ever."""
        while True:
            self._changed.clear()
            wanted = self._effects.resources().pool.spares
            for runner_id in surplus_spares(self._views(), wanted):
                self._runners[runner_id].retire("pool.spares is lower than before")
            missing = len(self._views()) < wanted
            if not missing:
                self._missing_since = time.monotonic()
            elif start_spare(self._situation(wanted)):
                self._effects.start()
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS if missing else None):
                    await self._changed.wait()

    def _views(self) -> list[SpareView]:
        spares = [runner for runner in self._runners.values() if runner.context == SPARE]
        living = (RunnerState.STARTING, RunnerState.READY)
        return [
            SpareView(runner.runner_id, runner.state is RunnerState.READY, runner.since)
            for runner in spares
            if runner.state in living
        ]

    def _situation(self, wanted: int) -> Situation:
        runners = self._runners.values()
        return Situation(
            now=time.monotonic(),
            wanted=wanted,
            spares=len(self._views()),
            may_start=self._effects.may_start() and self._judge.history.host.state is HostState.WELL,
            starting=any(runner.state is RunnerState.STARTING or _begins(runner) for runner in runners),
            fits=True,
            busy_percent=cpu_busy_percent(),
            missing_since=self._missing_since,
            not_before=self._backoff.until,
        )


def _begins(runner: Runner) -> bool:
    """Whether its first job has a page and has not begun."""
    return runner.taken > 0 and not runner.running and not runner.jobs_done

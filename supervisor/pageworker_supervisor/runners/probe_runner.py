"""Starts the runner of a probe, after a look whether the host has changed. When one is due is in host_probe.py."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from pageworker_sandbox.launch import Host, HostUnfit, survey
from pageworker_sandbox.state_machine import label
from pageworker_supervisor.runners.placement import NO_TENANT
from pageworker_supervisor.runners.resources import RunnerResources
from pageworker_supervisor.runners.runner import Runner
from pageworker_supervisor.runners.runner_state import RunnerState
from pageworker_supervisor.runners.start_failure import Blame, StartFailure
from pageworker_supervisor.runners.start_judge import StartJudge


@dataclass(frozen=True)
class ProbeEnvironment:
    """What a probe needs of the fleet."""

    make: Callable[[RunnerResources], Runner]
    """Make a runner of no tenant."""
    gone: Callable[[], None]
    """The probe is not among the runners any more."""


class ProbeRunner:
    """The probes of one worker, one at a time. `runners`: all of its runners, by id. A probe is among them."""

    def __init__(
        self,
        runners: dict[str, Runner],
        judge: StartJudge,
        paths: tuple[Path | None, Path | None],
        environment: ProbeEnvironment,
    ) -> None:
        """`paths`: the configured Python and browser, which a probe looks for anew."""
        self._runners = runners
        self._judge = judge
        self._paths = paths
        self._environment = environment

    def running(self) -> list[Runner]:
        """Those that are not gone."""
        return [runner for runner in self._runners.values() if runner.context == NO_TENANT]

    def starts_under_way(self) -> bool:
        """Whether another start is under way, which will tell as much."""
        return any(runner.state is RunnerState.STARTING for runner in self._runners.values())

    async def examine(self, known: RunnerResources) -> Host | None:
        """The host as it is now, if it made a start fail, else as it is known. None: it is unfit, which is told."""
        if not self._judge.history.host.closed:
            return known.host
        # What was broken may have been replaced by another browser, with other libraries.
        try:
            preferred, namespace = known.browsers.preferred, known.host.user_namespace
            host = await asyncio.to_thread(survey, *self._paths, preferred, known.host.required, namespace)
        except (HostUnfit, OSError) as unfit:
            self._judge.blame_host(StartFailure(Blame.HOST, str(unfit)))
            return None
        known.browsers.replace_installed(host.browsers)
        return host

    async def start(self, resources: RunnerResources) -> None:
        """Start a probe. Returns when it is gone; the host's health then shows its result."""
        runner = self._environment.make(replace(resources, pool=msgspec.structs.replace(resources.pool, pages=1)))
        self._runners[runner.runner_id] = runner
        try:
            failure = await runner.live()
        finally:
            del self._runners[runner.runner_id]
            self._environment.gone()
        if failure is not None and failure.blame is not Blame.NONE:
            resources.metrics.runners.start_failed(label(Blame.HOST))
            self._judge.blame_host(failure)

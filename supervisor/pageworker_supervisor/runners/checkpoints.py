"""Has the runner of a profile hand over cookies and storage at an interval, and keeps them in the profile's store.

The bytes are hostile. They are bounded, never parsed, and go to no other profile.
"""

import asyncio
import time
from collections.abc import Callable
from typing import NoReturn, Protocol

from pageworker_profiles.checkpoint import ProfileCheckpoint
from pageworker_profiles.errors import ProfileError
from pageworker_sandbox import memfd
from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.errors import ProtocolViolation
from pageworker_supervisor.runners.resources import RunnerFolder
from pageworker_supervisor.runners.runner_connection import RunnerConnection
from pageworker_supervisor.telemetry import log
from pageworker_supervisor.telemetry.metrics.profile_metrics import ProfileMetrics

LOOK_SECONDS = 60.0
"""How often a runner looks whether checkpoints are switched on."""


class CheckpointedRunner(Protocol):
    """What is asked of a runner."""

    runner_id: str
    jobs_done: int


class RunnerCheckpoints:
    """Those of one runner."""

    def __init__(
        self, connection: RunnerConnection, folder: RunnerFolder, metrics: ProfileMetrics, seconds: Callable[[], float]
    ) -> None:
        """`seconds`: the interval now; 0: off."""
        self._connection = connection
        self._folder = folder
        self._metrics = metrics
        self._seconds = seconds
        self._answer: asyncio.Future[bytes] | None = None

    async def run(self, runner: CheckpointedRunner) -> NoReturn:
        """Take one at each interval in which a job has ended, until cancelled. Raises ChannelClosed."""
        jobs_done = 0
        while True:
            seconds = self._seconds()
            await asyncio.sleep(seconds or LOOK_SECONDS)
            if seconds and runner.jobs_done != jobs_done:
                jobs_done = runner.jobs_done
                # On the host's clock, which stamps the files of the profile too. Before it is taken: what the browser
                # writes meanwhile counts as newer.
                taken_at = time.time()
                untrusted_data = await self._take(jobs_done)
                await self._keep(runner.runner_id, untrusted_data, taken_at)

    def arrived(self, descriptor: int) -> None:
        """The runner answers. The descriptor stays the caller's. Raises ProtocolViolation."""
        try:
            untrusted_data = memfd.read_sealed(descriptor, m.MAX_CHECKPOINT_BYTES)
        except memfd.NotSealed as error:
            raise ProtocolViolation(f"checkpoint: {error}") from error
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(untrusted_data)

    async def _take(self, number: int) -> bytes:
        # A runner that does not answer is asked no more. Pings tell whether it lives.
        self._answer = asyncio.get_running_loop().create_future()
        await self._connection.take_checkpoint(number)
        return await self._answer

    async def _keep(self, runner_id: str, untrusted_data: bytes, taken_at: float) -> None:
        if not untrusted_data:
            self._metrics.checkpoint("not_taken")
            return
        try:
            await self._folder.keep_checkpoint(ProfileCheckpoint(untrusted_data, taken_at))
        except ProfileError as error:
            self._metrics.checkpoint("not_stored")
            log.warning("a checkpoint is not stored", runner_id=runner_id, reason=str(error))
        else:
            self._metrics.checkpoint("stored")

"""The first messages between supervisor and runner: from Hello to Ready."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from msgspec.structs import replace

from pageworker_profiles.checkpoint import ProfileCheckpoint
from pageworker_sandbox import memfd
from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.request_failure import failure_pipe
from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.runners.errors import SpawnFailed
from pageworker_supervisor.runners.resources import RunnerResources
from pageworker_supervisor.runners.runner_connection import RunnerConnection
from pageworker_supervisor.runners.runner_traffic import RunnerTraffic

T = TypeVar("T", bound=m.Message)


@dataclass(frozen=True)
class Handshake:
    """One runner's start. `on_log` gets the log lines that the runner writes meanwhile."""

    runner_id: str
    context: ContextKey
    resources: RunnerResources
    connection: RunnerConnection
    traffic: RunnerTraffic
    on_log: Callable[[m.LogLine], None]
    checkpoint: ProfileCheckpoint | None = None
    """For the browser of a profile whose last browser was killed."""

    async def run(self) -> m.Ready:
        """Greet, hand the listener to the gateway, wait until pages are up and the runner has confined itself."""
        hello, _ = await self._expect(m.Hello)
        if hello.protocol != m.PROTOCOL:
            raise SpawnFailed(f"the runner speaks protocol {hello.protocol}, this supervisor {m.PROTOCOL}")
        failures, gateways_end = failure_pipe()
        try:
            boot = self.resources.boot_message(self.runner_id, self.context)
            await self.connection.send(replace(boot, restores=self.checkpoint is not None), [failures])
            if self.checkpoint is not None:
                await self._restore(self.checkpoint)
            await self._attach(gateways_end)
        finally:
            os.close(failures)
            os.close(gateways_end)
        ready, _ = await self._expect(m.Ready)
        return ready

    async def _restore(self, checkpoint: ProfileCheckpoint) -> None:
        descriptor = memfd.seal(checkpoint.untrusted_data, "checkpoint")
        try:
            await self.connection.send(m.Restore(taken_at=checkpoint.taken_at), [descriptor])
        finally:
            os.close(descriptor)

    async def _attach(self, failures: int) -> None:
        _, (listener,) = await self._expect(m.Listener)
        try:
            policy = self.resources.policy(self.context)
            await self.resources.gateway.attach(self.runner_id, self.traffic, listener, failures, policy)
        finally:
            os.close(listener)

    async def _expect(self, kind: type[T]) -> tuple[T, list[int]]:
        while True:
            message, descriptors = await self.connection.receive()
            if isinstance(message, kind):
                return message, descriptors
            if isinstance(message, m.LogLine):
                self.on_log(message)

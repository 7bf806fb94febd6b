"""The first words between supervisor and runner: from Hello to Ready."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.channel import Channel
from pageworker_sandbox.wire.permits import Permits
from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.runners.errors import SpawnFailed
from pageworker_supervisor.runners.resources import RunnerResources

T = TypeVar("T", bound=m.Message)


@dataclass(frozen=True)
class Handshake:
    """One runner's start. `on_log` gets the lines it writes meanwhile."""

    runner_id: str
    context: ContextKey
    resources: RunnerResources
    channel: Channel
    permits: Permits
    on_log: Callable[[m.LogLine], None]

    async def run(self) -> m.Ready:
        """Greet, hand the listener to the gateway, wait until pages are up and the runner has confined itself."""
        hello, _ = await self._expect(m.Hello)
        if hello.protocol != m.PROTOCOL:
            raise SpawnFailed(f"the runner speaks protocol {hello.protocol}, this supervisor {m.PROTOCOL}")
        await self.channel.send(self._words())
        _, (listener,) = await self._expect(m.Listener)
        try:
            policy = self.resources.policy(self.context)
            await self.resources.outlet.attach(self.runner_id, self.context.tenant_id, listener, policy)
        finally:
            os.close(listener)
        ready, _ = await self._expect(m.Ready)
        return ready

    def _words(self) -> m.Boot:
        settings = self.resources.settings
        return m.Boot(
            protocol=m.PROTOCOL,
            runner_id=self.runner_id,
            worker_id=settings.worker.id,
            tenant_id=self.context.tenant_id,
            persistent=self.context.profile_id is not None,
            pages=settings.pool.pages,
            browser=str(self.resources.host.browser),
            recycle_seconds=settings.pool.recycle_seconds,
            max_jobs=settings.pool.max_jobs,
            failure_artifacts=settings.artifacts.on_failure,
        )

    async def _expect(self, kind: type[T]) -> tuple[T, list[int]]:
        while True:
            message, descriptors = await self.channel.receive()
            self.permits.receive(message)
            if isinstance(message, kind):
                return message, descriptors
            if isinstance(message, m.LogLine):
                self.on_log(message)

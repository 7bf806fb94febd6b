"""The process tree of one runner: started in its sandbox, watched, told to stop, and always gone at the end."""

import asyncio
import os
from contextlib import suppress
from functools import cache

from pageworker_sandbox.egress.client import PermitNews
from pageworker_sandbox.egress.messages import GatewayPermitEnd
from pageworker_sandbox.launch import SandboxedProcess
from pageworker_sandbox.task_group import TaskGroup
from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.errors import ChannelClosed, OutputExceeded, ProtocolViolation
from pageworker_supervisor.runners.checkpoints import RunnerCheckpoints
from pageworker_supervisor.runners.empty_context import check_empty
from pageworker_supervisor.runners.errors import BrowserNotReady, RunnerLost, SpawnFailed
from pageworker_supervisor.runners.handshake import Handshake
from pageworker_supervisor.runners.limit_breach import Breach
from pageworker_supervisor.runners.profile_identity import check_identity
from pageworker_supervisor.runners.request_permits import RunnerPermits
from pageworker_supervisor.runners.resources import RunnerFolder
from pageworker_supervisor.runners.runner import Runner
from pageworker_supervisor.runners.runner_connection import RunnerConnection
from pageworker_supervisor.runners.runner_lines import write_line
from pageworker_supervisor.runners.runner_rights import check_rights
from pageworker_supervisor.runners.runner_state import RunnerEvent, RunnerState
from pageworker_supervisor.runners.spares import SPARE
from pageworker_supervisor.runners.watchdog import watch

EXIT_SECONDS = 0.5
"""From the end of a runner's channel to that of its process tree, before the tree is killed."""


class SandboxedRunner(Runner):
    """The runner of every job: its process tree is in a sandbox."""

    _checkpoints: RunnerCheckpoints | None = None
    """Of a runner of a profile that is up."""

    async def _serve_in(self, folder: RunnerFolder) -> None:
        self.process = process = await self._resources.launch(self.runner_id, folder)
        connection = RunnerConnection(process, self._resources.pool.runners, spare=self.context == SPARE)
        self._permits = self._new_permits()
        try:
            if self.state is RunnerState.STOPPING:
                # It was told to stop before it had a process that could be stopped.
                raise SpawnFailed("it was told to go")
            await self._start(process, connection, folder)
            async with TaskGroup() as tasks:
                tasks.create_task(watch(self, connection, process, self._limits, folder))
                tasks.create_task(self._stop_gently(connection, process))
                tasks.create_task(self._assign_once_adopted(connection))
                self._resources.gateway.serve_permits(self.runner_id, self._permit_at_gateway)
                tasks.create_task(self._permits.run())
                if folder.lease is not None:
                    profile_metrics, seconds = self._resources.metrics.profiles, self._resources.checkpoint_seconds
                    self._checkpoints = RunnerCheckpoints(connection, folder, profile_metrics, seconds)
                    tasks.create_task(self._checkpoints.run(self))
                tasks.create_task(connection.serve(self._receive))
        except* ChannelClosed:
            await self._let_it_exit(process)
            self._log.info("runner is gone", stderr=process.stderr[-2000:])
        except* ProtocolViolation as group:
            violation = group.exceptions[0]
            self._log.error("runner broke the protocol", reason=str(violation))
            breach = None
            if isinstance(violation, OutputExceeded):
                breach = Breach("output_limit", violation.used, violation.allowed, violation.unit)
            self._end = self._lost(f"protocol violation: {violation}", charged=True, breach=breach, restart="protocol")
        except* OSError as group:
            # The supervisor has no descriptors or memory left. Neither the runner nor its jobs are to blame.
            self._log.error("runner lost by its host", reason=str(group.exceptions[0]))
            self._end = self._lost(f"the host: {group.exceptions[0]}", charged=False, breach=None, restart="host")
        finally:
            # Shielded: a cancelled daemon still waits until the tree is gone, or it would leave its user in use.
            await asyncio.shield(self._leave(process, connection))

    async def _assign_once_adopted(self, connection: RunnerConnection) -> None:
        await self._adoption.begun.wait()
        try:
            # First the way out, then the tenant: what comes after Assign may use it.
            await self.route.renew()
        except RunnerLost as lost:
            self.kill(lost.reason, charged=False, restart="host")
            return
        await connection.assign(self.context.tenant_id)
        self._adoption.finish()

    def _new_permits(self) -> RunnerPermits:
        resources = self._resources
        permits_host = cache(resources.permits_host)  # A spare changes its context.
        return RunnerPermits(
            resources.requests,
            lambda host: permits_host(self.context)(host),
            lambda _: resources.metrics.egress.refused(self.context.tenant_id, "rate_limited"),
        )

    def _permit_at_gateway(self, news: PermitNews) -> None:
        number = news.number
        if isinstance(news, GatewayPermitEnd):
            self._permits.ended(number)
            return

        async def answer(refused: bool, counted: bool) -> None:
            await self._resources.gateway.permit(number, refused=refused, counted=counted)

        self._permits.hold(news.host, answer, tls=news.tunnel, at_gateway=number)

    def _permit(self, request: m.PermitRequest) -> None:
        connection = self._connection

        async def answer(refused: bool, counted: bool) -> None:
            if connection is not None:
                await connection.answer_permit(m.PermitAnswer(number=request.number, refused=refused))

        self._permits.hold(request.host, answer, tls=request.tls)

    def _handle(self, message: m.Message, descriptors: list[int]) -> None:
        if isinstance(message, m.PermitRequest):
            self._permit(message)
        elif isinstance(message, m.CheckpointTaken) and self._checkpoints is not None:
            self._checkpoints.arrived(descriptors[0])
        else:
            super()._handle(message, descriptors)

    async def _leave(self, process: SandboxedProcess, connection: RunnerConnection) -> None:
        process.kill()
        connection.close()
        self._why.status = await process.wait()
        await self._resources.gateway.detach(self.runner_id)
        self._permits.close()

    async def _let_it_exit(self, process: SandboxedProcess) -> None:
        """Its end of the channel is closed, so it exits by itself: a kill in between would hide its exit code."""
        # In a task of its own: up to Python 3.12, a task group that failed leaves a request to cancel in its parent,
        # and a timeout there ends as CancelledError, which would end the worker (python/cpython#133747).
        async with TaskGroup() as tasks:
            tasks.create_task(self._wait_for_exit(process))

    async def _wait_for_exit(self, process: SandboxedProcess) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(EXIT_SECONDS):
                await process.wait()

    async def _start(self, process: SandboxedProcess, connection: RunnerConnection, folder: RunnerFolder) -> None:
        lines: list[str] = []

        def note(line: m.LogLine) -> None:
            lines.append(line.message)
            write_line(line, None, self._log)

        handshake = Handshake(
            self.runner_id, self.context, self._resources, connection, self.traffic, note, folder.checkpoint
        )
        try:
            async with asyncio.timeout(self._resources.pool.start_seconds):
                ready = await handshake.run()
        except (TimeoutError, ChannelClosed) as error:
            why = str(error) or "too slow"
            # The runner's own last line tells more than the end of its stderr, which Chromium fills.
            last = lines[-1] if lines else process.stderr[-2000:]
            raise BrowserNotReady(f"it did not get ready ({why}); its last words: {last}") from error
        self.evidence = dict(ready.evidence)
        self._why.browser_version = ready.browser_version
        if (restored := self.evidence.get("checkpoint")) is not None:
            self._log.info("the browser got the profile's checkpoint", result=restored)
            self._resources.metrics.profiles.checkpoint("restored" if restored == "restored" else "not_restored")
        self.proof = await process.proof()
        check_rights(self._resources.host.required, self.evidence, self.proof, os.geteuid())
        check_empty(self.context, self.evidence)
        check_identity(folder.lease, self.evidence)
        self._connection = connection
        self._came_up()
        self._resources.metrics.runners.spawned(self.start_seconds)
        self._log.info("runner is ready", browser=ready.browser_version, seconds=round(self.start_seconds, 3))

    def _step(self, event: RunnerEvent) -> None:
        before = self.state
        super()._step(event)
        if self.state is not RunnerState.STOPPING or self.process is None:
            return
        if event is RunnerEvent.KILL or self._connection is None:
            # Before it is up there is nothing to close normally.
            self.process.kill()
        elif before is not RunnerState.STOPPING:
            self._told_to_stop.set()

    async def _stop_gently(self, connection: RunnerConnection, process: SandboxedProcess) -> None:
        """Once told to: let the browser flush its profile, then make sure."""
        await self._told_to_stop.wait()
        seconds = self._resources.pool.kill_grace_seconds
        if self.context.profile is not None:
            # Chromium writes cookies to disk up to 30 s late, and when it closes. An earlier kill loses logins.
            seconds += m.BROWSER_CLOSE_SECONDS
        try:
            async with asyncio.timeout(seconds):
                await connection.send(m.Stop())
                await process.wait()
        except TimeoutError:
            self._log.warning("runner did not stop by itself")
        process.kill()

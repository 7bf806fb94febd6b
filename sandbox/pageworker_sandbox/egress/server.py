"""The gateway's end of the channel to the supervisor: carries out its requests, keeps the proxies of all runners."""

import asyncio
import os
import ssl
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass

from pageworker_sandbox.dialer.client import DialerClient
from pageworker_sandbox.egress.acceptor import adopt
from pageworker_sandbox.egress.access_log import AccessLog, AccessSampling
from pageworker_sandbox.egress.errors import InvalidListener, InvalidPolicy
from pageworker_sandbox.egress.failure_reports import FailureReports
from pageworker_sandbox.egress.limits import EgressLimits
from pageworker_sandbox.egress.messages import (
    Attach,
    Detach,
    EgressPolicy,
    GatewayAnswer,
    GatewayPermit,
    GatewayPermitEnd,
    ProxyLost,
    Reason,
    SetAccessLog,
    Update,
    UpstreamState,
    UsageRequest,
)
from pageworker_sandbox.egress.permit_requests import PermitRequests, RequestPermit
from pageworker_sandbox.egress.refusal_log import RefusalLog
from pageworker_sandbox.egress.runner_proxy import RunnerProxy
from pageworker_sandbox.egress.shared_counts import shared_words
from pageworker_sandbox.egress.target import Target
from pageworker_sandbox.egress.upstream_connector import UpstreamConnector
from pageworker_sandbox.egress.upstream_monitor import UpstreamMonitor
from pageworker_sandbox.task_group import TaskGroup
from pageworker_sandbox.wire.channel import Channel
from pageworker_sandbox.wire.errors import ChannelClosed
from pageworker_sandbox.wire.messages import Message

UPSTREAMS = " upstream proxies "
"""The id under which the dialer connects for no runner: to resolve the names of upstream proxies, and to probe them. No
runner's id has a space."""


@dataclass(frozen=True)
class AttachedRunner:
    """A runner that the gateway serves."""

    proxy: RunnerProxy
    task: asyncio.Task[None]
    refusals: RefusalLog
    access: AccessLog


class GatewayServer:
    """`run` returns when the supervisor has closed the channel, and all proxies end with it."""

    def __init__(self, channel: Channel, limits: EgressLimits, dialer: DialerClient, proxy_tls: ssl.SSLContext) -> None:
        """`proxy_tls` verifies `https://` upstream proxies."""
        self._channel = channel
        self._limits = limits
        self._dialer = dialer
        self._runners: dict[str, AttachedRunner] = {}
        """By runner id."""
        self._sampling = AccessSampling()
        self._to_report = asyncio.Event()
        self._changes: asyncio.Queue[UpstreamState | GatewayPermitEnd] = asyncio.Queue()
        self._permits = PermitRequests(channel, self._changes.put_nowait)
        upstreams = UpstreamConnector(dialer.connector(UPSTREAMS), proxy_tls, limits)
        self._upstreams = UpstreamMonitor(upstreams, self._changes.put_nowait)

    async def run(self) -> None:
        """Carry out requests. Raises ProtocolViolation if the supervisor breaks the protocol."""
        async with TaskGroup() as group:
            background = [
                group.create_task(work) for work in (self._report(), self._report_changes(), self._upstreams.run())
            ]
            try:
                while True:
                    message, descriptors = await self._channel.receive()
                    if isinstance(message, GatewayPermit):
                        self._permits.answered(message)
                        continue
                    await self._channel.send(await self._answer(group, message, descriptors))
            except ChannelClosed:
                for task in background:
                    task.cancel()
                for runner in self._runners.values():
                    runner.task.cancel()

    async def _answer(self, group: asyncio.TaskGroup, message: Message, descriptors: Sequence[int]) -> GatewayAnswer:
        match message:
            case Attach():
                return await self._attach(group, message, *descriptors)
            case Update(number=number, runner_id=runner_id, policy=policy):
                return self._update(number, runner_id, policy)
            case Detach(number=number, runner_id=runner_id):
                return await self._detach(number, runner_id)
            case UsageRequest(number=number, runner_id=runner_id):
                return self._usage(number, runner_id)
            case SetAccessLog(number=number, share=share):
                self._sampling.share = share
                return GatewayAnswer(number=number)
            case _:
                raise TypeError(f"the gateway has no handler for {type(message).__name__}")

    async def _attach(
        self, group: asyncio.TaskGroup, message: Attach, listener_fd: int, failures_fd: int, counts_fd: int
    ) -> GatewayAnswer:
        number, runner_id = message.number, message.runner_id
        reports = FailureReports(failures_fd)
        words = shared_words(counts_fd)
        os.close(counts_fd)
        if runner_id in self._runners or len(self._runners) >= self._limits.runners:
            os.close(listener_fd)
            reports.close()
            return GatewayAnswer(
                number=number, error="known_runner" if runner_id in self._runners else "too_many_runners"
            )
        try:
            listener = adopt(listener_fd)
        except InvalidListener as error:
            reports.close()
            return GatewayAnswer(number=number, error="invalid_listener", detail=str(error))
        refusals = RefusalLog(runner_id, self._limits, asyncio.get_running_loop().time())

        def on_refusal(reason: Reason, target: Target) -> None:
            if refusals.add(reason, target, asyncio.get_running_loop().time()):
                self._to_report.set()

        clock = asyncio.get_running_loop().time
        access = AccessLog(runner_id, self._limits, self._sampling, clock, self._to_report.set)
        connector = self._dialer.connector(runner_id)

        def ask_permit(target: Target, tunnel: bool) -> Awaitable[RequestPermit]:
            return self._permits.ask(runner_id, target, tunnel)

        try:
            proxy = RunnerProxy(
                *(listener, message.policy, self._limits, connector, on_refusal, reports, self._upstreams),
                words,
                access,
                ask_permit,
            )
        except InvalidPolicy as error:
            listener.close()
            reports.close()
            return GatewayAnswer(number=number, error="invalid_policy", detail=str(error))
        task = group.create_task(self._serve(runner_id, proxy))
        self._runners[runner_id] = AttachedRunner(proxy, task, refusals, access)
        await proxy.started.wait()
        return GatewayAnswer(number=number)

    def _update(self, number: int, runner_id: str, policy: EgressPolicy) -> GatewayAnswer:
        if runner_id not in self._runners:
            return GatewayAnswer(number=number, error="unknown_runner")
        runner = self._runners[runner_id]
        # Before it is in force: from then on, what is refused for its budget belongs to its attempt.
        runner.refusals.new_policy()
        try:
            runner.proxy.update(policy)
        except InvalidPolicy as error:
            return GatewayAnswer(number=number, error="invalid_policy", detail=str(error))
        return GatewayAnswer(number=number)

    def _usage(self, number: int, runner_id: str | None) -> GatewayAnswer:
        if runner_id is None:
            return GatewayAnswer(number=number)
        if runner_id not in self._runners:
            return GatewayAnswer(number=number, error="unknown_runner")
        return GatewayAnswer(number=number, usage={runner_id: self._runners[runner_id].proxy.usage()})

    async def _detach(self, number: int, runner_id: str) -> GatewayAnswer:
        if runner_id not in self._runners:
            return GatewayAnswer(number=number, error="unknown_runner")
        runner = self._runners[runner_id]
        runner.task.cancel()
        await asyncio.wait((runner.task,))
        # Before the answer: the supervisor may end after it.
        await self._report_of(runner)
        return GatewayAnswer(number=number, usage={runner_id: runner.proxy.usage()})

    async def _serve(self, runner_id: str, proxy: RunnerProxy) -> None:
        """Run one proxy. Its error, even a bug of ours that its runner found, must not end the other proxies.

        The error is reported to the supervisor, which kills the runner.
        """
        try:
            await proxy.run()
        except* Exception as group:  # noqa: BLE001 - one runner's proxy must not end the others; the error is reported
            error = _first(group)
            text = f"{type(error).__name__}: {error}"[:500]
            await self._channel.send(ProxyLost(runner_id=runner_id, error=text))
        finally:
            del self._runners[runner_id]

    async def _report(self) -> None:
        while await self._to_report.wait():
            self._to_report.clear()
            for runner in list(self._runners.values()):
                await self._report_of(runner)

    async def _report_of(self, runner: AttachedRunner) -> None:
        for notice in runner.refusals.drain():
            await self._channel.send(notice)
        for record in runner.access.drain():
            await self._channel.send(record)

    async def _report_changes(self) -> None:
        while True:
            await self._channel.send(await self._changes.get())


def _first(error: Exception) -> Exception:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error

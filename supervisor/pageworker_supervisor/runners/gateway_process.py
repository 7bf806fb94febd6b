"""Keeps one egress gateway running for all runners, and attaches runners to it."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from pageworker_sandbox.dialer.messages import DialRules
from pageworker_sandbox.egress.client import GatewayClient, GatewayLost, GatewayRefused, PermitNews, connect
from pageworker_sandbox.egress.errors import EgressError, InvalidRules
from pageworker_sandbox.egress.messages import (
    AccessRecord,
    EgressPolicy,
    RefusalNotice,
    UpstreamState,
    Usage,
)
from pageworker_sandbox.launch import GatewayProcesses, GatewayUsers, Host, launch_gateway
from pageworker_sandbox.task_group import TaskGroup
from pageworker_sandbox.wire.errors import WireError
from pageworker_supervisor.backoff import Backoff
from pageworker_supervisor.config.settings import EgressSettings
from pageworker_supervisor.runners.access_line import access_line, recorded_share
from pageworker_supervisor.runners.runner_traffic import RunnerTraffic
from pageworker_supervisor.task_supervision import leaves
from pageworker_supervisor.telemetry import log
from pageworker_supervisor.telemetry.metrics import Metrics

ANSWER_SECONDS = 5.0
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
STABLE_SECONDS = 60.0
"""If a gateway ends after this time or later, the next one starts at once."""


@dataclass(frozen=True)
class GatewayEvents:
    """What the gateway's owner wants to know, as calls."""

    came_up: Callable[[], None]
    lost: Callable[[str], None]
    """Gets the reason. Every runner has lost its network: its listener is gone."""
    listener_lost: Callable[[str], None]
    """Gets the id of the one runner that has lost its network."""
    upstream: Callable[[str, str | None], None] = lambda url, reason: None
    """Gets the URL of an upstream proxy that works again (None), or why it does not work any more."""


class GatewayProcess:
    """One gateway process at a time. Another is started when it does not come up or is lost, after a growing pause."""

    def __init__(
        self,
        host: Host,
        users: GatewayUsers,
        rules: DialRules,
        metrics: Metrics,
        events: GatewayEvents,
        proxy_ca: Path | None = None,
    ) -> None:
        """`proxy_ca`: PEM file with the CA certificates of `https://` upstream proxies, beside those of the system."""
        self._proxy_ca = proxy_ca
        self.proof: dict[str, str] = {}
        self.trouble: str | None = None
        """Why there is no gateway; None while there is one, and while the first one starts."""
        self._host = host
        self._users = users
        self._rules = rules
        self._metrics = metrics
        self._events = events
        self._traffic: dict[str, RunnerTraffic] = {}
        """Of the runners that are attached."""
        self._policies: dict[str, EgressPolicy] = {}
        """In force, by runner."""
        self._permits: dict[str, Callable[[PermitNews], None]] = {}
        """Who answers the requests for permits, by runner."""
        self._rules_changed = asyncio.Event()
        self._access_share = 0.0
        self._access_changed = asyncio.Event()
        self._silent = asyncio.Event()
        self._gateway: GatewayClient | None = None
        self._up = asyncio.Event()
        self._backoff = Backoff(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)

    def use(self, settings: EgressSettings) -> None:
        """Log requests as these settings say, from now on."""
        self._access_share = recorded_share(settings)
        self._access_changed.set()

    async def run(self) -> None:
        """Keep a gateway up for ever."""
        while True:
            began = time.monotonic()
            reason = ""
            try:
                await self._serve()
            # A launch fails if the host was suspended, or has no memory or processes left. The next one may come up.
            except* (EgressError, OSError) as group:
                reason = next(str(error) or repr(error) for error in leaves(group))
            came_up = self._up.is_set()
            self._up.clear()
            self._gateway = None
            self.trouble = f"the egress gateway {'was lost' if came_up else 'does not start'}: {reason}"
            log.error("no egress gateway", reason=self.trouble)
            self._events.lost("the egress gateway is lost" if came_up else "there is no egress gateway")
            if came_up and time.monotonic() - began > STABLE_SECONDS:
                self._backoff.reset()
            else:
                self._backoff.pause(time.monotonic())
            await asyncio.sleep(self._backoff.remaining_seconds(time.monotonic()))

    async def _serve(self) -> None:
        rules = self._rules
        process = await launch_gateway(self._host, self._users, rules, self._proxy_ca)
        try:
            gateway = connect(process.channel, self._log_access, self._on_permit)
            async with TaskGroup() as tasks:
                tasks.create_task(gateway.run())
                tasks.create_task(self._report(gateway))
                tasks.create_task(self._keep_access_log(gateway))
                tasks.create_task(self._send_rules(process, rules))
                await self._answers(gateway)
                self.proof = await process.proof()
                self._gateway = gateway
                self.trouble = None
                self._silent.clear()
                self._up.set()
                self._events.came_up()
                await self._silent.wait()
                raise GatewayLost("it does not answer")
        finally:
            process.kill()
            await asyncio.shield(process.wait())

    def use_rules(self, rules: DialRules) -> None:
        """Where the dialer may connect to from now on. Its TCP ports stay those of its start."""
        if rules != self._rules:
            self._rules = rules
            self._rules_changed.set()

    async def _send_rules(self, process: GatewayProcesses, started_with: DialRules) -> NoReturn:
        sent = started_with
        while True:
            self._rules_changed.clear()
            if sent != self._rules:
                sent = self._rules
                try:
                    await process.set_rules(sent)
                except InvalidRules as error:
                    log.error("the dialer refuses new rules, the old ones stay in force", reason=str(error))
                except WireError as error:
                    raise GatewayLost(f"its dialer has ended: {error}") from error
            await self._rules_changed.wait()

    async def _answers(self, gateway: GatewayClient) -> None:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await gateway.ping()
        except TimeoutError as silent:
            raise GatewayLost(f"it does not answer within {ANSWER_SECONDS:g} s") from silent

    async def _keep_access_log(self, gateway: GatewayClient) -> None:
        while True:
            self._access_changed.clear()
            await gateway.set_access_log(self._access_share)
            await self._access_changed.wait()

    def _log_access(self, record: AccessRecord) -> None:
        # The gateway may be taken over, or may not have read yet that the log is off.
        if self._access_share:
            log.info("egress request", **access_line(record, self._traffic.get(record.runner_id)))

    def _on_permit(self, news: PermitNews) -> None:
        # The gateway may be taken over, or the runner may be gone. Then no request waits for an answer.
        if (told := self._permits.get(news.runner_id)) is not None:
            told(news)

    async def _report(self, gateway: GatewayClient) -> None:
        async for notice in gateway.notices():
            if isinstance(notice, RefusalNotice):
                traffic = self._traffic.get(notice.runner_id)
                tenant = "" if traffic is None else traffic.tenant_id
                self._metrics.egress.refused(tenant, notice.reason, 1 + notice.suppressed)
                log.warning("egress refused", runner_id=notice.runner_id, host=notice.host, reason=notice.reason)
                if traffic is not None:
                    traffic.refused()
            elif isinstance(notice, UpstreamState):
                self._events.upstream(notice.url, None if notice.up else notice.reason or "unknown")
            else:
                log.error("egress listener lost", runner_id=notice.runner_id)
                self._events.listener_lost(notice.runner_id)

    async def attach(
        self, runner_id: str, traffic: RunnerTraffic, listener: int, failures: int, policy: EgressPolicy
    ) -> None:
        """Give a runner its network. Waits until there is a gateway. `failures`: write end of its failure pipe."""
        await self._up.wait()
        counts = await self._alive().attach(runner_id, listener, failures, policy)
        traffic.read_from(counts, counts.over_budget)
        self._traffic[runner_id] = traffic
        self._policies[runner_id] = policy

    def serve_permits(self, runner_id: str, told: Callable[[PermitNews], None]) -> None:
        """Pass on what a runner that is attached needs permits for, and what has ended. `permit` answers."""
        self._permits[runner_id] = told

    async def permit(self, number: int, *, refused: bool, counted: bool) -> None:
        """Answer a request for a permit, if the gateway is still there. `counted`: its end is to be told."""
        with suppress(GatewayLost):
            await self._alive().permit(number, refused=refused, counted=counted)

    async def update(self, runner_id: str, policy: EgressPolicy) -> None:
        """Put another policy in force for a runner that is attached. Raises EgressError."""
        if self._policies.get(runner_id, policy) == policy:
            return
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._alive().update(runner_id, policy)
        except TimeoutError as silent:
            self._silent.set()
            raise GatewayLost(f"it does not answer within {ANSWER_SECONDS:g} s") from silent
        if runner_id in self._policies:
            self._policies[runner_id] = policy

    async def usage(self, runner_id: str) -> Usage:
        """What the gateway reports of a runner. One round trip; `RunnerTraffic` has the counts without one.

        Raises GatewayRefused, GatewayLost.
        """
        return await self._alive().usage(runner_id)

    async def upstream(self, runner_id: str) -> str:
        """The upstream proxy that a runner used last, as in `Usage`; "" if that is not known. One round trip."""
        if runner_id not in self._policies:
            return ""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return (await self.usage(runner_id)).upstream
        except (GatewayLost, GatewayRefused, TimeoutError):
            return ""

    async def detach(self, runner_id: str) -> None:
        """Close a runner's network, if it still has one."""
        self._policies.pop(runner_id, None)
        self._permits.pop(runner_id, None)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._alive().detach(runner_id)
        except (GatewayLost, GatewayRefused):
            pass
        except TimeoutError:
            # A gateway that is stuck would delay every runner that ends. Start another one.
            self._silent.set()
        finally:
            if (traffic := self._traffic.pop(runner_id, None)) is not None:
                traffic.look()

    def _alive(self) -> GatewayClient:
        if self._gateway is None:
            raise GatewayLost("there is no gateway now")
        return self._gateway

"""The way out for all runners: keeps one egress gateway running and speaks with it."""

import asyncio
import time
from collections.abc import Callable

from pageworker_sandbox.dialer.messages import Rules
from pageworker_sandbox.egress.client import Gateway, GatewayLost, GatewayRefused, connect
from pageworker_sandbox.egress.messages import Notice, Policy
from pageworker_sandbox.launch import GatewayUsers, Host, launch_gateway
from pageworker_supervisor.runners.backoff import SpawnBackoff
from pageworker_supervisor.telemetry import log
from pageworker_supervisor.telemetry.metrics import Metrics

ANSWER_SECONDS = 5.0


class Outlet:
    """One gateway process at a time.

    When it dies every runner is without network, and its listeners are gone with it: `on_lost` is to kill the
    runners, whose jobs go back uncharged, and a new gateway is started.
    """

    def __init__(
        self, host: Host, users: GatewayUsers, rules: Rules, metrics: Metrics, on_lost: Callable[[str], None]
    ) -> None:
        self.proof: dict[str, str] = {}
        self._host = host
        self._users = users
        self._rules = rules
        self._metrics = metrics
        self._on_lost = on_lost
        self._tenants: dict[str, str] = {}
        self._silent = asyncio.Event()
        self._gateway: Gateway | None = None
        self._up = asyncio.Event()
        self._backoff = SpawnBackoff()

    async def run(self) -> None:
        """Keep a gateway up for ever."""
        while True:
            began = time.monotonic()
            try:
                await self._serve()
            except* GatewayLost as group:
                reason = str(group.exceptions[0])
            self._up.clear()
            self._gateway = None
            log.error("egress gateway lost", reason=reason)
            self._on_lost("the egress gateway is lost")
            self._backoff.spawned(time.monotonic(), ok=time.monotonic() - began > 60)
            await asyncio.sleep(self._backoff.remaining_seconds(time.monotonic()))

    async def _serve(self) -> None:
        cell = await launch_gateway(self._host, self._users, self._rules)
        try:
            gateway = connect(cell.channel)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(gateway.run())
                tasks.create_task(self._report(gateway))
                await gateway.usage()
                self.proof = await cell.proof()
                self._gateway = gateway
                self._up.set()
                await self._silent.wait()
                self._silent.clear()
                raise GatewayLost("it does not answer")
        finally:
            cell.kill()
            await asyncio.shield(cell.wait())

    async def _report(self, gateway: Gateway) -> None:
        async for notice in gateway.notices():
            if isinstance(notice, Notice):
                tenant = self._tenants.get(notice.cell_id, "")
                self._metrics.egress_refused(tenant, notice.reason, 1 + notice.suppressed)
                log.warning("egress refused", runner_id=notice.cell_id, host=notice.host, reason=notice.reason)
            else:
                log.error("egress listener lost", runner_id=notice.cell_id)

    async def attach(self, runner_id: str, tenant_id: str, listener: int, policy: Policy) -> None:
        """Give a runner its way out. Waits until there is a gateway."""
        await self._up.wait()
        await self._alive().attach(runner_id, listener, policy)
        self._tenants[runner_id] = tenant_id

    async def detach(self, runner_id: str) -> None:
        """Close a runner's way out, if it still has one."""
        tenant_id = self._tenants.pop(runner_id, "")
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                usage = await self._alive().detach(runner_id)
        except (GatewayLost, GatewayRefused):
            return
        except TimeoutError:
            # A gateway that is stuck would hold up every runner that ends: start another.
            self._silent.set()
            return
        self._metrics.egress(tenant_id, usage.up_bytes, usage.down_bytes)

    def _alive(self) -> Gateway:
        if self._gateway is None:
            raise GatewayLost("there is no gateway now")
        return self._gateway

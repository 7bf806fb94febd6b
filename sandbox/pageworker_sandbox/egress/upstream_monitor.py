"""Keeps the health of upstream proxies, for all runners of the gateway, and probes those that do not work.

A probe connects, makes the TLS handshake and the proxy's greeting, and names no target. So a proxy comes back without a
job's request.
"""

import asyncio
from collections.abc import Callable

from pageworker_sandbox.egress.errors import UpstreamFailed
from pageworker_sandbox.egress.messages import UpstreamFault, UpstreamState
from pageworker_sandbox.egress.policy import UpstreamProxy
from pageworker_sandbox.egress.upstream_connector import UpstreamConnector
from pageworker_sandbox.egress.upstream_health import HealthEvent, HealthState, UpstreamHealth
from pageworker_sandbox.task_group import TaskGroup

PROBE_SECONDS = 5.0
DOUBTS_IGNORED_SECONDS = 5.0
"""After a probe that passed. Otherwise a runner could start one probe after the other."""
FORGET_SECONDS = 3600.0
"""After this time without a request for it, a proxy is not probed any more."""
TALKED_TO: frozenset[UpstreamFault | None] = frozenset({"timed_out", "protocol", "credentials", "closed"})
"""After these faults a connection alone shows nothing: the proxy must answer a question too."""

_WELL = UpstreamHealth()


class UpstreamMonitor:
    """`run` must run while the other methods are used."""

    def __init__(self, connector: UpstreamConnector, on_change: Callable[[UpstreamState], None]) -> None:
        self.connector = connector
        self._on_change = on_change
        self._loop = asyncio.get_running_loop()
        self._health: dict[UpstreamProxy, UpstreamHealth] = {}
        """Only of proxies that have failed since they worked."""
        self._named: dict[object, frozenset[UpstreamProxy]] = {}
        """What the policy of each runner names."""
        self._wanted_at: dict[UpstreamProxy, float] = {}
        self._passed_at: dict[UpstreamProxy, float] = {}
        self._timers: dict[UpstreamProxy, asyncio.TimerHandle] = {}
        self._probes: dict[UpstreamProxy, asyncio.Task[None]] = {}
        self._due: asyncio.Queue[UpstreamProxy] = asyncio.Queue()

    async def run(self) -> None:
        """Probe until cancelled."""
        try:
            async with TaskGroup() as group:
                while True:
                    proxy = await self._due.get()
                    if self._of(proxy).probed and proxy not in self._probes:
                        self._probes[proxy] = group.create_task(self._probe(proxy))
        finally:
            for timer in self._timers.values():
                timer.cancel()

    def name(self, runner: object, proxies: frozenset[UpstreamProxy]) -> None:
        """The runner's policy names these proxies from now on.

        Those that no policy names any more are forgotten, and other logins of these proxies. What a runner named that
        has left stays known for the next one.
        """
        before = self._named.get(runner, frozenset())
        self._named[runner] = proxies
        urls = {proxy.url for proxy in proxies}
        for proxy in list(self._health):
            replaced = proxy in before or proxy.url in urls
            if replaced and not any(proxy in named for named in self._named.values()):
                self._give_up(proxy)

    def leave(self, runner: object) -> None:
        """The runner has ended."""
        self._named.pop(runner, None)

    def usable(self, proxy: UpstreamProxy) -> bool:
        """Whether a request may use the proxy now."""
        health = self._health.get(proxy)
        if health is None:
            return True
        self._wanted_at[proxy] = self._loop.time()
        return health.usable

    def worked(self, proxy: UpstreamProxy) -> None:
        """The proxy opened a connection for a request."""
        if proxy in self._health:
            self._apply(proxy, HealthEvent.WORKED)

    def failed(self, proxy: UpstreamProxy, failure: UpstreamFailed) -> None:
        """The proxy failed a request."""
        if not failure.doubtful:
            self._apply(proxy, HealthEvent.FAILED, failure.fault)
        elif self._loop.time() >= self._passed_at.get(proxy, 0.0) + DOUBTS_IGNORED_SECONDS:
            self._apply(proxy, HealthEvent.DOUBT, failure.fault)

    def _of(self, proxy: UpstreamProxy) -> UpstreamHealth:
        return self._health.get(proxy, _WELL)

    def _apply(self, proxy: UpstreamProxy, event: HealthEvent, fault: UpstreamFault | None = None) -> None:
        before = self._of(proxy)
        after = before.after(event, fault)
        self._wanted_at.setdefault(proxy, self._loop.time())
        if after == _WELL:
            self._forget(proxy)
        else:
            self._health[proxy] = after
        if after.state is not before.state:
            self._enter(proxy, after)
        if after.usable != before.usable:
            self._report(proxy, after)

    def _report(self, proxy: UpstreamProxy, health: UpstreamHealth) -> None:
        """Reports name no login. So a proxy works again when no login of it is down."""
        if not health.usable:
            self._on_change(UpstreamState(url=proxy.url, up=False, reason=health.fault))
        elif all(other.usable for key, other in self._health.items() if key.url == proxy.url):
            self._on_change(UpstreamState(url=proxy.url, up=True))

    def _enter(self, proxy: UpstreamProxy, health: UpstreamHealth) -> None:
        """Start what the new state needs, and end what the old one needed."""
        if (timer := self._timers.pop(proxy, None)) is not None:
            timer.cancel()
        if not health.probed and (probe := self._probes.pop(proxy, None)) is not None:
            probe.cancel()
        if health.probed:
            self._due.put_nowait(proxy)
        elif health.state is HealthState.DOWN:
            self._timers[proxy] = self._loop.call_later(health.pause_seconds, self._pause_over, proxy)

    def _pause_over(self, proxy: UpstreamProxy) -> None:
        if self._loop.time() > self._wanted_at[proxy] + FORGET_SECONDS:
            self._give_up(proxy)
        else:
            self._apply(proxy, HealthEvent.PAUSE_OVER)

    def _give_up(self, proxy: UpstreamProxy) -> None:
        """No policy needs the proxy: nothing is known of it any more, not even that it is down."""
        was_usable = self._of(proxy).usable
        self._forget(proxy)
        self._enter(proxy, _WELL)
        if not was_usable:
            self._report(proxy, _WELL)

    def _forget(self, proxy: UpstreamProxy) -> None:
        for kept in (self._health, self._wanted_at, self._passed_at):
            kept.pop(proxy, None)

    async def _probe(self, proxy: UpstreamProxy) -> None:
        event = HealthEvent.PROBE_PASSED
        fault: UpstreamFault | None = None
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                handshake = await self.connector.connect(proxy, self.connector.names, None)
                try:
                    if self._of(proxy).fault in TALKED_TO:
                        await handshake.probe()
                finally:
                    handshake.stream.abort("the probe has ended")
        except TimeoutError:
            event, fault = HealthEvent.PROBE_FAILED, "timed_out"
        except UpstreamFailed as failure:
            event, fault = HealthEvent.PROBE_FAILED, failure.fault
        # Not before: this task must not cancel itself.
        del self._probes[proxy]
        if event is HealthEvent.PROBE_PASSED:
            self._passed_at[proxy] = self._loop.time()
        self._apply(proxy, event, fault)

"""Enforces one runner's policy: admits requests, opens connections to origins, counts them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from pageworker_sandbox.dialer.connector import Connector
from pageworker_sandbox.egress.access_log import NOT_RECORDED, AccessLog, RequestRecord
from pageworker_sandbox.egress.address import Address
from pageworker_sandbox.egress.connection_pool import ConnectionPool
from pageworker_sandbox.egress.errors import EgressRefused, TargetUnreachable, UnreachableReason, UpstreamFailed
from pageworker_sandbox.egress.failover import Failover, RouteDoubts, candidates
from pageworker_sandbox.egress.kernel_splice import SpliceSlots
from pageworker_sandbox.egress.limits import EgressLimits
from pageworker_sandbox.egress.messages import EgressPolicy, Reason
from pageworker_sandbox.egress.meter import Meter
from pageworker_sandbox.egress.origin_connector import OriginConnector
from pageworker_sandbox.egress.permit_requests import RequestPermit
from pageworker_sandbox.egress.policy import CompiledPolicy, Route, Routes
from pageworker_sandbox.egress.stream import Stream
from pageworker_sandbox.egress.target import Target
from pageworker_sandbox.egress.upstream_monitor import UpstreamMonitor
from pageworker_sandbox.wire.token_bucket import CpuBudget

HTTP_PORT = 80
AskPermit = Callable[[Target, bool], Awaitable[RequestPermit]]
"""Returns when a request to this target may begin, or is refused. The second argument is the `tunnel` of
`GatewayPermitRequest`."""
POLICY_CHANGED = "the policy changed"


class PolicyEnforcer:
    """Shared by all connections of one runner. Raises InvalidPolicy."""

    def __init__(
        self,
        policy: EgressPolicy,
        limits: EgressLimits,
        connector: Connector,
        on_refusal: Callable[[Reason, Target], None],
        on_connected: Callable[[Target, Address], None],
        upstreams: UpstreamMonitor,
        words: memoryview | None = None,
        access: AccessLog | None = None,
        ask_permit: AskPermit | None = None,
    ) -> None:
        """`ask_permit`: for hosts with a limit on requests; None: they have none."""
        self._ask_permit = ask_permit
        self._policy = CompiledPolicy(policy)
        upstreams.name(self, self._policy.proxies)
        self._on_refusal = on_refusal
        self._access = access
        self._loop = asyncio.get_running_loop()
        self._upstreams = upstreams
        self._doubts = RouteDoubts()
        self._open: dict[Stream, tuple[Route, Route]] = {}
        """The route of each connection, and the one that was preferred when it was made."""
        self.limits = limits
        self.meter = Meter(words=words)
        self.parse_budget = CpuBudget(limits.parse_share, limits.parse_burst_seconds, limits.parse_pause_seconds)
        self.pool = ConnectionPool(limits)
        self.splices = SpliceSlots(limits.splices)
        self._origins = OriginConnector(limits, self.meter, connector, upstreams.connector, on_connected)
        self._apply(policy)

    def update(self, policy: EgressPolicy) -> None:
        """Replace the policy. Closes connections that it forbids or routes differently. Raises InvalidPolicy."""
        self._policy = CompiledPolicy(policy)
        self._upstreams.name(self, self._policy.proxies)
        self._apply(policy)
        for stream, (route, preferred) in list(self._open.items()):
            routes = self._policy.decide(route.target)
            # Another first choice is another way, for example because the proxy of a job was rotated.
            if isinstance(routes, str) or route not in routes or routes[0] != preferred:
                stream.abort(POLICY_CHANGED)

    def record(self, method: bytes, target: Target) -> RequestRecord:
        """The access log's view of a request that begins now."""
        return NOT_RECORDED if self._access is None else self._access.request(method, target, self.meter)

    def admit(self, target: Target) -> Failover:
        """Count a request and decide on it. Raises EgressRefused."""
        if self._policy.is_blocked(target):
            # Wanted by the job itself: it uses nothing of a budget, and the supervisor needs no notice.
            self.meter.count_refusal("host_blocked")
            raise EgressRefused("host_blocked")
        self.meter.count_request()
        routes = self._decide(target)
        if isinstance(routes, str):
            raise self._refuse(routes, target)
        untried = candidates(routes, self._upstreams.usable, self._doubts, self._loop.time())
        return Failover(routes, untried, self._policy.source.connect_seconds, self._loop.time)

    @asynccontextmanager
    async def permitted(self, target: Target, failover: Failover, *, tunnel: bool) -> AsyncIterator[bool]:
        """Within the context, an admitted request is open. It is entered when the request may begin.

        Gives whether its end is awaited, since its host has a limit on open requests. Raises EgressRefused.
        """
        if self._ask_permit is None or not self._policy.is_limited(target):
            yield False
            return
        # Chromium opens a tunnel to port 80 for a WebSocket without TLS, and for nothing else.
        permit = await self._ask_permit(target, tunnel and target.port != HTTP_PORT)
        if permit.refused:
            raise self._refuse("rate_limited", target)
        try:
            failover.restart()
            yield permit.counted
        finally:
            permit.end()

    async def connect(self, failover: Failover, route: Route, tunnel: bool) -> Stream:
        """A new connection for an admitted route. Raises EgressRefused, TargetUnreachable, UpstreamFailed."""
        # An earlier route may have taken long: this one may be gone, or its login may have changed.
        self._ensure_current(failover, route)
        try:
            stream = await self._origins.connect(route, failover.left_seconds, failover.share_seconds, tunnel)
        except EgressRefused as refused:
            raise self._refuse(refused.reason, route.target) from refused
        except UpstreamFailed as failed:
            if self.meter.over:
                # The gateway cut the handshake. The proxy is not to blame, and other runners use it.
                raise self._refuse("budget_exhausted", route.target) from failed
            raise
        try:
            self._ensure_current(failover, route)
        except BaseException:
            stream.abort(POLICY_CHANGED)
            raise
        self._open[stream] = route, failover.routes[0]
        stream.on_gone(lambda: self._gone(stream, route.target))
        return stream

    def _gone(self, stream: Stream, target: Target) -> None:
        self._open.pop(stream, None)
        if stream.over_budget:
            self._refuse("budget_exhausted", target)

    def _ensure_current(self, failover: Failover, route: Route) -> None:
        """Raise EgressRefused if the policy forbids the target now, TargetUnreachable if it has other routes now.

        As for a connection that is open when the policy changes: its request may be tried again.
        """
        routes = self._policy.decide(route.target)
        if isinstance(routes, str):
            raise self._refuse(routes, route.target)
        if route not in routes or routes[0] != failover.routes[0]:
            raise TargetUnreachable("connection_reset")

    def worked(self, route: Route) -> None:
        """The route's upstream proxy did its part of a request."""
        if route.proxy is not None:
            self._upstreams.worked(route.proxy)
            self._doubts.clear(route)

    def failed(self, route: Route, failure: UpstreamFailed) -> None:
        """The route's upstream proxy failed a request, which takes the next route."""
        # One that the policy does not name any more is forgotten, and stays so.
        if route.proxy is not None and route.proxy in self._policy.proxies:
            self._upstreams.failed(route.proxy, failure)
            if failure.doubtful:
                self._doubts.add(route, self._loop.time())

    def used(self, route: Route) -> None:
        """A request goes over this route."""
        if route.proxy is not None:
            self.meter.used(route.proxy.target.authority)
        elif route.fixed is None and self._policy.source.upstreams:
            self.meter.used("direct")

    def no_route_left(self, target: Target) -> EgressRefused:
        """The error for a request whose upstream proxies all failed."""
        return self._refuse("proxy_unavailable", target)

    def failure(self, reason: UnreachableReason) -> EgressRefused | TargetUnreachable:
        """The error for an origin's connection that ended before it answered."""
        if self.meter.over:
            # Counted with the end of the connection that was cut.
            return EgressRefused("budget_exhausted")
        return TargetUnreachable(reason, timed_out=reason == "origin_silent")

    def close(self) -> None:
        """Close all connections."""
        self._upstreams.leave(self)
        self.pool.close()
        self._origins.close()
        for stream in list(self._open):
            stream.abort("the runner was detached")
        self.meter.leave_words()

    def _apply(self, policy: EgressPolicy) -> None:
        self.meter.set_budget(policy.budget_bytes, policy.budget_requests, policy.budget_turn)

    def _decide(self, target: Target) -> Routes | Reason:
        if self.meter.over:
            return "budget_exhausted"
        return self._policy.decide(target)

    def _refuse(self, reason: Reason, target: Target) -> EgressRefused:
        self.meter.count_refusal(reason)
        self._on_refusal(reason, target)
        return EgressRefused(reason)

"""A cell's way out: its policy, what it has used, its connections to origins."""

import asyncio
from collections.abc import Callable

from pageworker_sandbox.dialer.connector import Connector
from pageworker_sandbox.egress.connection_pool import ConnectionPool
from pageworker_sandbox.egress.dialer import Dialer
from pageworker_sandbox.egress.errors import EgressRefused, TargetUnreachable
from pageworker_sandbox.egress.limits import EgressLimits
from pageworker_sandbox.egress.messages import EgressPolicy, Reason
from pageworker_sandbox.egress.meter import Meter
from pageworker_sandbox.egress.policy import CompiledPolicy, Route
from pageworker_sandbox.egress.stream import Stream
from pageworker_sandbox.egress.target import Target
from pageworker_sandbox.wire.cpu_budget import CpuBudget, TokenBucket


class PolicyEnforcer:
    """What sessions of one cell ask before and while they reach out. Raises InvalidPolicy."""

    def __init__(
        self,
        policy: EgressPolicy,
        limits: EgressLimits,
        connector: Connector,
        on_refusal: Callable[[Reason, Target], None],
    ) -> None:
        self._rules = CompiledPolicy(policy)
        self._on_refusal = on_refusal
        self._loop = asyncio.get_running_loop()
        self._open: dict[Stream, Route] = {}
        self._rate: float | None = None
        self._bucket: TokenBucket | None = None
        self.limits = limits
        self.meter = Meter()
        self.pace = CpuBudget(limits.parse_share, limits.parse_burst_seconds, limits.parse_pause_seconds)
        self.pool = ConnectionPool(limits)
        self._dialer = Dialer(limits, self.meter, connector)
        self._apply(policy)

    def update(self, policy: EgressPolicy) -> None:
        """Take another policy; cut what it would refuse or route otherwise. Raises InvalidPolicy."""
        self._rules = CompiledPolicy(policy)
        self._apply(policy)
        for stream, route in list(self._open.items()):
            if self._rules.decide(route.target) != route:
                stream.abort("the policy changed")

    def admit(self, target: Target) -> Route:
        """Count a request and decide on it. Raises Refused."""
        self.meter.requests += 1
        verdict = self._decide(target)
        if not isinstance(verdict, Route):
            raise self._refuse(verdict, target)
        return verdict

    async def open(self, route: Route, tunnel: bool) -> Stream:
        """A new connection for an admitted route. Raises Refused, Unreachable."""
        try:
            stream = await self._dialer.dial(route, self._rules.policy.connect_seconds, tunnel)
        except EgressRefused as refused:
            raise self._refuse(refused.reason, route.target) from refused
        # The policy may have changed while we were connecting.
        verdict = self._rules.decide(route.target)
        if verdict != route:
            stream.abort("the policy changed")
            raise self._refuse("host_not_allowed" if isinstance(verdict, Route) else verdict, route.target)
        self._open[stream] = route
        stream.on_gone(lambda: self._open.pop(stream, None))
        return stream

    def broken(self, target: Target, silent: bool) -> EgressRefused | TargetUnreachable:
        """Why an origin's connection ended before it had answered."""
        if self.meter.exhausted:
            return self._refuse("budget_exhausted", target)
        return TargetUnreachable("origin_silent" if silent else "origin_failed", timed_out=silent)

    def close(self) -> None:
        """Cut all connections."""
        self.pool.close()
        self._dialer.close()
        for stream in list(self._open):
            stream.abort("the cell was closed")

    def _apply(self, policy: EgressPolicy) -> None:
        if policy.requests_per_second != self._rate:
            self._rate = rate = policy.requests_per_second
            self._bucket = None if rate is None else TokenBucket(rate, max(1.0, rate), self._loop.time())
        self.meter.budget_bytes = policy.budget_bytes

    def _decide(self, target: Target) -> Route | Reason:
        if self.meter.exhausted:
            return "budget_exhausted"
        if self._bucket is not None and not self._bucket.take(self._loop.time()):
            return "rate_limited"
        return self._rules.decide(target)

    def _refuse(self, reason: Reason, target: Target) -> EgressRefused:
        self.meter.refused[reason] += 1
        self._on_refusal(reason, target)
        return EgressRefused(reason)

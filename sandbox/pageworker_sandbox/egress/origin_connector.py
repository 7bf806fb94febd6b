"""Connects to the origin of a route: resolves its name, checks the addresses, connects to one that was checked."""

import asyncio
import errno
from collections.abc import Callable, Sequence
from dataclasses import replace

from pageworker_sandbox.dialer.connector import Connector, Resolution
from pageworker_sandbox.egress.address import Address
from pageworker_sandbox.egress.errors import EgressRefused, TargetUnreachable, UnreachableReason, UpstreamFailed
from pageworker_sandbox.egress.limits import EgressLimits
from pageworker_sandbox.egress.meter import Meter
from pageworker_sandbox.egress.policy import Route, UpstreamProxy, check
from pageworker_sandbox.egress.stream import Stream
from pageworker_sandbox.egress.target import Target
from pageworker_sandbox.egress.upstream_connector import FIRST_TRY_SECONDS, UpstreamConnector

FAIR_SECONDS = 1.0
"""A proxy that works accepts the gateway within this time."""
REASONS: dict[int | None, UnreachableReason] = {
    errno.ECONNREFUSED: "connection_refused",
    errno.EHOSTUNREACH: "address_unreachable",
    errno.ENETUNREACH: "address_unreachable",
    errno.ETIMEDOUT: "connect_timeout",
}
"""By the error number of connect(2). Others are `connect_failed`."""


class OriginConnector:
    """Connects for one runner, through a connector that no other runner shares."""

    def __init__(
        self,
        limits: EgressLimits,
        meter: Meter,
        connector: Connector,
        upstreams: UpstreamConnector,
        on_connected: Callable[[Target, Address], None],
    ) -> None:
        """`on_connected(target, address)`: a connection was made to an address that the target's name resolved to."""
        self._limits = limits
        self._meter = meter
        self._connector = connector
        self._upstreams = upstreams
        self._on_connected = on_connected
        self._loop = asyncio.get_running_loop()
        self._resolved: dict[str, tuple[float, Resolution]] = {}
        """Resolution by name, and the loop time until which it is valid."""

    async def connect(self, route: Route, seconds: float, share_seconds: float, tunnel: bool) -> Stream:
        """A connection to the target of the route. If `route.absolute` and not `tunnel`: to its upstream proxy.

        `seconds` is the deadline for resolution, connection and proxy handshake together. The upstream proxy gets
        `share_seconds` of it, or what resolution leaves. Raises EgressRefused, TargetUnreachable, UpstreamFailed.
        """
        deadline = self._loop.time() + seconds
        try:
            async with asyncio.timeout_at(deadline):
                if route.proxy is None:
                    return await self._connect_route(route)
                target = None if route.absolute and not tunnel else await self._target_for(route.proxy, route.target)
        except TimeoutError as error:
            raise TargetUnreachable("connect_timeout", timed_out=True) from error
        return await self._connect_through(route.proxy, target, min(share_seconds, deadline - self._loop.time()))

    def close(self) -> None:
        """Drop the lookups that have not begun. Those that have begun end by themselves."""
        self._connector.close()

    async def _connect_route(self, route: Route) -> Stream:
        if route.fixed is not None:
            address, port = route.fixed
            # Not reported: a runner does not learn what the operator has set.
            return (await self._connect_any([address], port))[1]
        addresses = await self._public_addresses(route.target)
        address, stream = await self._connect_any(addresses, route.target.port)
        self._on_connected(route.target, address)
        return stream

    async def _target_for(self, proxy: UpstreamProxy, target: Target) -> Target:
        """The target as the proxy gets it: as a checked address, unless the proxy resolves."""
        if target.address is not None or proxy.resolves:
            return target
        address = (await self._public_addresses(target))[0]
        return replace(target, host=str(address), address=address)

    async def _connect_through(self, proxy: UpstreamProxy, target: Target | None, seconds: float) -> Stream:
        """A connection to the target through the proxy; without a target, to the proxy itself."""
        # With little time left, a timeout says nothing of the proxy.
        doubtful = seconds < FAIR_SECONDS
        try:
            async with asyncio.timeout(seconds):
                handshake = await self._upstreams.connect(proxy, self._connector, self._meter)
                if target is None:
                    return handshake.stream
                doubtful = True
                try:
                    await handshake.request(target)
                except BaseException:
                    handshake.stream.abort("the upstream proxy did not connect")
                    raise
                return handshake.stream
        except TimeoutError as error:
            raise UpstreamFailed("timed_out", doubtful=doubtful) from error

    async def _public_addresses(self, target: Target) -> Sequence[Address]:
        # With a trailing dot the name is absolute: the resolver adds no search domain of the operator's network.
        found = await self._addresses(replace(target, host=target.host + "."))
        reason = check(found.addresses) or ("private_address" if found.local else None)
        if reason is not None:
            raise EgressRefused(reason)
        return found.addresses

    async def _addresses(self, target: Target) -> Resolution:
        if target.address is not None:
            return Resolution((target.address,), local=False)
        now = self._loop.time()
        known = self._resolved.get(target.host)
        if known is not None and known[0] > now:
            return known[1]
        try:
            found = await self._connector.resolve(target.host)
        except OSError as error:
            raise TargetUnreachable("name_not_resolved") from error
        if len(self._resolved) >= self._limits.resolved_names:
            self._resolved.clear()
        self._resolved[target.host] = (now + self._limits.resolved_seconds, found)
        return found

    async def _connect_any(self, addresses: Sequence[Address], port: int) -> tuple[Address, Stream]:
        """A connection to the first address that takes one."""
        for address in addresses[:-1]:
            try:
                async with asyncio.timeout(FIRST_TRY_SECONDS):
                    return address, await self._open(address, port)
            except (TimeoutError, OSError):
                continue
        try:
            return addresses[-1], await self._open(addresses[-1], port)
        except OSError as error:
            raise _unreachable(error) from error

    async def _open(self, address: Address, port: int) -> Stream:
        connected = await self._connector.connect(address, port)
        try:
            _, stream = await self._loop.create_connection(
                lambda: Stream(self._limits.buffer_bytes, self._meter), sock=connected
            )
        except BaseException:
            connected.close()
            raise
        return stream


def _unreachable(error: OSError) -> TargetUnreachable:
    reason = REASONS.get(error.errno, "connect_failed")
    return TargetUnreachable(reason, timed_out=reason == "connect_timeout")

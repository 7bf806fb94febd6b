"""From a route to a connection: resolve, check, connect to the very address that was checked."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from pageworker_sandbox.dialer.connector import Connector, Resolution
from pageworker_sandbox.egress.address import Address
from pageworker_sandbox.egress.errors import EgressRefused, TargetUnreachable
from pageworker_sandbox.egress.limits import EgressLimits
from pageworker_sandbox.egress.meter import Meter
from pageworker_sandbox.egress.policy import Route, UpstreamProxy, check
from pageworker_sandbox.egress.stream import Stream
from pageworker_sandbox.egress.target import Target
from pageworker_sandbox.egress.upstream import handshake

FIRST_TRY_SECONDS = 2.0
"""An address that does not answer within it is left for the next one, if there is a next one."""


class Dialer:
    """Connects for one cell, with a connector of its own: nothing is shared between cells."""

    def __init__(self, limits: EgressLimits, meter: Meter, connector: Connector) -> None:
        self._limits = limits
        self._meter = meter
        self._connector = connector
        self._loop = asyncio.get_running_loop()
        self._resolved: dict[str, tuple[float, Resolution]] = {}

    async def dial(self, route: Route, seconds: float, tunnel: bool) -> Stream:
        """A connection to the target; where `route.absolute` and no `tunnel`, to the proxy.

        `seconds` is for everything together. Raises Refused, Unreachable.
        """
        try:
            async with asyncio.timeout(seconds):
                return await self._dial(route, tunnel)
        except TimeoutError as error:
            raise TargetUnreachable("connect_timeout", timed_out=True) from error

    def close(self) -> None:
        """Drop lookups that have not begun; those that have end by themselves."""
        self._connector.close()

    async def _dial(self, route: Route, tunnel: bool) -> Stream:
        if route.fixed is not None:
            address, port = route.fixed
            return await self._connect([address], port)
        if route.proxy is not None:
            return await self._dial_through(route.proxy, None if route.absolute and not tunnel else route.target)
        return await self._connect(await self._public(route.target), route.target.port)

    async def _dial_through(self, proxy: UpstreamProxy, target: Target | None) -> Stream:
        if target is not None and target.address is None and not proxy.resolves:
            address = (await self._public(target))[0]
            target = replace(target, host=str(address), address=address)
        # The proxy itself is the operator's choice: its address may be private, its name a short one.
        stream = await self._connect((await self._addresses(proxy.target)).addresses, proxy.target.port)
        if target is None:
            return stream
        try:
            await handshake(stream, proxy, target)
        except BaseException:
            stream.abort("the upstream proxy did not connect")
            raise
        return stream

    async def _public(self, target: Target) -> Sequence[Address]:
        # With a trailing dot the name is absolute: no search domain turns it into one of our own network.
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

    async def _connect(self, addresses: Sequence[Address], port: int) -> Stream:
        for address in addresses[:-1]:
            try:
                async with asyncio.timeout(FIRST_TRY_SECONDS):
                    return await self._open(address, port)
            except (TimeoutError, OSError):
                continue
        try:
            return await self._open(addresses[-1], port)
        except OSError as error:
            raise TargetUnreachable("connect_failed") from error

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

"""Connects to upstream proxies: resolves their names, connects by the dialer, TLS, the proxy's greeting."""

import asyncio
import errno
import ssl
from collections.abc import Sequence

from pageworker_sandbox.dialer.connector import Connector
from pageworker_sandbox.egress.address import Address
from pageworker_sandbox.egress.errors import EgressRefused, UpstreamFailed
from pageworker_sandbox.egress.limits import EgressLimits
from pageworker_sandbox.egress.messages import UpstreamFault
from pageworker_sandbox.egress.meter import Meter
from pageworker_sandbox.egress.policy import UpstreamProxy
from pageworker_sandbox.egress.stream import Stream
from pageworker_sandbox.egress.target import Target
from pageworker_sandbox.egress.upstream import UpstreamHandshake

FIRST_TRY_SECONDS = 2.0
"""An address that does not answer within this time is skipped, if there is another one."""
_FAULTS: dict[int | None, UpstreamFault] = {
    errno.ECONNREFUSED: "refused",
    errno.ETIMEDOUT: "timed_out",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
}
"""By the error number of connect(2). Other numbers may be a shortage of this host, so they are only a doubt."""


class UpstreamConnector:
    """For all runners. Names are resolved by `names`, so that no runner's lookups delay those of proxies."""

    def __init__(self, names: Connector, tls: ssl.SSLContext, limits: EgressLimits) -> None:
        self.names = names
        self._tls = tls
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._resolved: dict[str, tuple[float, Sequence[Address]]] = {}
        """Addresses by name, and the loop time until which they are valid."""
        self._lookups: dict[str, asyncio.Task[Sequence[Address]]] = {}
        """By name. All requests that need a name wait for one lookup."""

    async def connect(self, proxy: UpstreamProxy, connector: Connector, meter: Meter | None) -> UpstreamHandshake:
        """A connection to a proxy that has accepted the gateway, through the runner's connector. Raises UpstreamFailed.

        The caller limits the time.
        """
        stream = await self._connect_any(proxy, await self._addresses(proxy.target), connector, meter)
        handshake = UpstreamHandshake(stream, proxy)
        try:
            await handshake.greet()
        except BaseException:
            stream.abort("the upstream proxy did not accept the gateway")
            raise
        return handshake

    async def _addresses(self, target: Target) -> Sequence[Address]:
        # The operator chose the proxy, so its name may be a short one, and its addresses may be private.
        if target.address is not None:
            return (target.address,)
        known = self._resolved.get(target.host)
        if known is not None and known[0] > self._loop.time():
            return known[1]
        lookup = self._lookups.get(target.host)
        if lookup is None:
            lookup = self._lookups[target.host] = self._loop.create_task(self._look_up(target.host))
            lookup.add_done_callback(lambda _: self._lookups.pop(target.host, None))
        try:
            # A request that ends must not end the lookup of the others.
            return await asyncio.shield(lookup)
        except OSError as error:
            raise UpstreamFailed("name_not_resolved") from error

    async def _look_up(self, host: str) -> Sequence[Address]:
        """Raises OSError."""
        until = self._loop.time() + self._limits.resolved_seconds
        found = (await self.names.resolve(host)).addresses
        if len(self._resolved) >= self._limits.resolved_names:
            self._resolved.clear()
        self._resolved[host] = (until, found)
        return found

    async def _connect_any(
        self, proxy: UpstreamProxy, addresses: Sequence[Address], connector: Connector, meter: Meter | None
    ) -> Stream:
        for address in addresses[:-1]:
            try:
                async with asyncio.timeout(FIRST_TRY_SECONDS):
                    return await self._open(proxy, address, connector, meter)
            except (TimeoutError, UpstreamFailed):
                continue
        return await self._open(proxy, addresses[-1], connector, meter)

    async def _open(self, proxy: UpstreamProxy, address: Address, connector: Connector, meter: Meter | None) -> Stream:
        try:
            connected = await connector.connect(address, proxy.target.port)
        except EgressRefused as refused:
            # The dialer may get its rules a moment later, and learns the addresses of their names by a lookup.
            self._resolved.pop(proxy.target.host, None)
            private = refused.reason == "private_address"
            raise UpstreamFailed("private_address" if private else "not_permitted") from refused
        except OSError as error:
            fault = _FAULTS.get(error.errno)
            raise UpstreamFailed(fault or "unreachable", doubtful=fault is None) from error
        secure = proxy.scheme == "https"
        try:
            _, stream = await self._loop.create_connection(
                lambda: Stream(self._limits.buffer_bytes, meter),
                sock=connected,
                ssl=self._tls if secure else None,
                server_hostname=proxy.target.host if secure else None,
            )
        except ssl.SSLError as error:
            connected.close()
            raise UpstreamFailed("tls") from error
        except OSError as error:
            connected.close()
            raise UpstreamFailed("closed") from error
        except BaseException:
            connected.close()
            raise
        return stream

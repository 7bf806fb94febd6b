"""Resolves names and connects for one runner. Two runners share nothing of it."""

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Protocol

from pageworker_sandbox.dialer.targets import TargetRules
from pageworker_sandbox.egress.address import Address, unmap
from pageworker_sandbox.egress.errors import EgressRefused

RESOLVER_THREADS = 4
"""Per runner, so that unresolvable names of one runner do not delay the lookups of another one."""
DISCARD_PORT = 9

LookUp = Callable[[str], list[Address]]
"""All addresses of a name. Blocks. Raises OSError."""


@dataclass(frozen=True)
class Resolution:
    """The addresses of a name. `local`: one of them belongs to this host."""

    addresses: tuple[Address, ...]
    local: bool


class Connector(Protocol):
    """How the gateway resolves and connects for one runner."""

    async def resolve(self, name: str) -> Resolution:
        """All addresses of a name. Raises OSError."""

    async def connect(self, address: Address, port: int) -> socket.socket:
        """A connected, non-blocking socket. Raises OSError; EgressRefused if the rules forbid it."""

    def close(self) -> None:
        """Drop the requests that have not begun."""


class DirectConnector:
    """A `Connector` that connects by itself. Must be created and used within the running loop."""

    def __init__(self, rules: TargetRules, look_up: LookUp) -> None:
        self._rules = rules
        self._look_up = look_up
        self._loop = asyncio.get_running_loop()
        self._threads = ThreadPoolExecutor(RESOLVER_THREADS, thread_name_prefix="resolve")

    async def resolve(self, name: str) -> Resolution:
        """All addresses of a name, in the system's order of preference. Raises OSError."""
        addresses = await self._loop.run_in_executor(self._threads, self._look_up, name)
        self._rules.learn(name, addresses)
        return Resolution(tuple(addresses), any(is_local(address) for address in addresses))

    async def connect(self, address: Address, port: int) -> socket.socket:
        """A connected, non-blocking socket. Raises OSError; EgressRefused if the rules forbid it."""
        reason = self._rules.refusal(address, port, local=is_local(address))
        if reason is not None:
            raise EgressRefused(reason)
        family = socket.AF_INET6 if isinstance(address, IPv6Address) else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            await self._loop.sock_connect(sock, (str(address), port))
        except BaseException:
            sock.close()
            raise
        return sock

    def close(self) -> None:
        """Drop the lookups that have not begun. Those that have begun end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def look_up(host: str) -> list[Address]:
    """getaddrinfo(3), in the system's order of preference. Raises OSError."""
    found = socket.getaddrinfo(host.encode(), None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(unmap(ip_address(str(address[0]))) for *_, address in found))


def is_local(address: Address) -> bool:
    """Whether a connection to this address reaches this host itself, as the kernel's routes decide."""
    address = unmap(address)
    if address.is_loopback or address.is_unspecified:
        return True
    family = socket.AF_INET6 if isinstance(address, IPv6Address) else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            # To connect a UDP socket sends nothing. The kernel picks the source address; it is the target's own
            # if the target is this host.
            probe.connect((str(address), DISCARD_PORT))
            return ip_address(probe.getsockname()[0].partition("%")[0]) == address
    except OSError:
        return False

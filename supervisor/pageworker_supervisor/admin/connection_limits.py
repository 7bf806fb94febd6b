"""Which connection is dropped when there are too many. Pure.

A new connection is always accepted: a probe must be answered however many others are open. From `idle_limit`
connections on, each new one evicts the connection that has waited longest without a complete request, once that one has
had time to send it. Only at the hard limit a connection is evicted that has not had this time, or that is being
answered.
"""

import ipaddress
from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass
from itertools import chain
from typing import Generic, TypeVar

C = TypeVar("C", bound=Hashable)
IDLE_DIVISOR = 8
"""Idle connections are evicted from an eighth of the hard limit on."""
PEER_DIVISOR = 4
"""One peer beyond loopback has a quarter of all connections at most."""
REQUEST_GRACE_SECONDS = 1.0
"""A client sends its request with the connection, or a round trip later."""
SITE_BITS = 64
"""Prefix length of one IPv6 site. All its addresses count as one peer."""


def peer_of(address: str | None) -> str | None:
    """The peer whose connections count together. None: loopback, or no address: a client on this host, without a
    limit."""
    if address is None:
        return None
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    ip = getattr(ip, "ipv4_mapped", None) or ip
    if ip.is_loopback:
        return None
    return str(ipaddress.ip_network((ip, SITE_BITS), strict=False)) if ip.version == 6 else str(ip)


@dataclass(frozen=True)
class ConnectionLimits:
    """Limits that follow from the hard limit of one listener."""

    max_connections: int
    idle_share: float = 1 / IDLE_DIVISOR
    """Share of the hard limit up to which no idle connection is evicted."""
    peer_share: float = 1 / PEER_DIVISOR
    """Share of the hard limit that one peer beyond loopback may have. 1 behind a proxy, which is the only peer."""

    @property
    def idle_limit(self) -> int:
        """Up to this number no idle connection is evicted."""
        return max(1, int(self.max_connections * self.idle_share))

    @property
    def per_peer(self) -> int:
        """Connections of one peer beyond loopback."""
        return max(1, int(self.max_connections * self.peer_share))


class ConnectionTable(Generic[C]):
    """Open connections: those that wait for a request and those that are being answered, the oldest first.

    Times are monotonic seconds.
    """

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self._waiting: dict[C, float] = {}
        self._answering: dict[C, float] = {}
        self._peers: dict[C, str | None] = {}
        self._counts: Counter[str | None] = Counter()

    def __len__(self) -> int:
        return len(self._peers)

    def add(self, connection: C, peer: str | None, now: float) -> C | None:
        """A new connection, which waits for its request. Returns the evicted one, already removed from the table."""
        evicted = self._select_eviction(peer, now)
        if evicted is not None:
            self.remove(evicted)
        self._waiting[connection] = now
        self._peers[connection] = peer
        self._counts[peer] += 1
        return evicted

    def request_complete(self, connection: C, now: float) -> None:
        """The connection is being answered from now on."""
        self._move(connection, self._waiting, self._answering, now)

    def answer_complete(self, connection: C, now: float) -> None:
        """The connection waits for a request again."""
        self._move(connection, self._answering, self._waiting, now)

    def remove(self, connection: C) -> None:
        """The connection is closed. A second call does nothing."""
        if connection in self._peers:
            peer = self._peers.pop(connection)
            self._waiting.pop(connection, None)
            self._answering.pop(connection, None)
            self._counts[peer] -= 1
            if not self._counts[peer]:
                del self._counts[peer]

    def _select_eviction(self, peer: str | None, now: float) -> C | None:
        oldest_first = chain(self._waiting, self._answering)
        if peer is not None and self._counts[peer] >= self.limits.per_peer:
            return next(connection for connection in oldest_first if self._peers[connection] == peer)
        if len(self) >= self.limits.max_connections:
            return next(oldest_first)
        if len(self) >= self.limits.idle_limit and self._waiting:
            oldest, since = next(iter(self._waiting.items()))
            return oldest if now - since >= REQUEST_GRACE_SECONDS else None
        return None

    def _move(self, connection: C, from_: dict[C, float], to: dict[C, float], now: float) -> None:
        if connection in from_:
            del from_[connection]
            to[connection] = now

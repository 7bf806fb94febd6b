"""Who is connected, and who has to go when there are too many. Pure.

A new connection is always taken: a probe must be answered however many others are open. Where there are more than
usual, the connection goes that has waited longest without a whole request, once it has had time to send one. Only at
the hard limit goes one that has not had that time, or that is being answered.
"""

import ipaddress
from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass
from itertools import chain
from typing import Generic, TypeVar

C = TypeVar("C", bound=Hashable)
USUAL_SHARE = 8
PEERS_SHARE = 4
"""Of all connections, one address beyond loopback has this part at most."""
PATIENCE_SECONDS = 1.0
"""A request comes with its connection, or a round trip later."""
SITE_BITS = 64
"""An IPv6 site has so many bits for itself: its addresses are one peer."""


def peer_of(address: str | None) -> str | None:
    """Whose connections are counted together. None: loopback or no address, i.e. anybody on this host."""
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
    """At most `most` connections. From a part of them on, idle ones have to go."""

    most: int

    @property
    def usual(self) -> int:
        """Up to here idle connections are left alone."""
        return max(1, self.most // USUAL_SHARE)

    @property
    def per_peer(self) -> int:
        """From one address beyond loopback."""
        return max(1, self.most // PEERS_SHARE)


class ConnectionTable(Generic[C]):
    """Open connections, those that wait for a request and those that are being answered, each in order of time.

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
        """A new one, which waits for its request. Returns the one that has to go for it; it is forgotten already."""
        gone = self._in_the_way(peer, now)
        if gone is not None:
            self.remove(gone)
        self._waiting[connection] = now
        self._peers[connection] = peer
        self._counts[peer] += 1
        return gone

    def answers(self, connection: C, now: float) -> None:
        """Its request is complete."""
        self._move(connection, self._waiting, self._answering, now)

    def waits(self, connection: C, now: float) -> None:
        """Its answer is complete."""
        self._move(connection, self._answering, self._waiting, now)

    def remove(self, connection: C) -> None:
        """It is closed. May be called again."""
        if connection in self._peers:
            peer = self._peers.pop(connection)
            self._waiting.pop(connection, None)
            self._answering.pop(connection, None)
            self._counts[peer] -= 1
            if not self._counts[peer]:
                del self._counts[peer]

    def _in_the_way(self, peer: str | None, now: float) -> C | None:
        everybody = chain(self._waiting, self._answering)
        if peer is not None and self._counts[peer] >= self.limits.per_peer:
            return next(connection for connection in everybody if self._peers[connection] == peer)
        if len(self) >= self.limits.most:
            return next(everybody)
        if len(self) >= self.limits.usual and self._waiting:
            oldest, since = next(iter(self._waiting.items()))
            return oldest if now - since >= PATIENCE_SECONDS else None
        return None

    def _move(self, connection: C, from_: dict[C, float], to: dict[C, float], now: float) -> None:
        if connection in from_:
            del from_[connection]
            to[connection] = now

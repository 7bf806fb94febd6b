"""Decides where the dialer may connect to. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address

from pageworker_sandbox.egress.address import Address, is_public, unmap
from pageworker_sandbox.egress.messages import Reason
from pageworker_sandbox.egress.target import parse_authority

MAX_LEARNED = 256
"""Addresses kept per upstream proxy. A name may resolve to other ones each time."""


@dataclass
class TargetRules:
    """The rules, parsed. In this order: a `barred` port of this host is refused; a `fixed` target is permitted, even a
    private one; a public address is permitted on `ports`."""

    ports: frozenset[int]
    fixed: frozenset[tuple[Address, int]] = frozenset()
    named: frozenset[tuple[str, int]] = frozenset()
    """Upstream proxies (name, port). The addresses that the name resolves to may be private."""
    barred: frozenset[int] = frozenset()
    later_ports: frozenset[int] = frozenset()
    """Ports that targets of later rules may have."""
    learned: dict[str, dict[Address, None]] = field(default_factory=dict)
    """The addresses that the names of `named` resolved to, oldest first."""

    def replace_with(self, newer: "TargetRules") -> None:
        """Take over other rules. What is known of names that they name too stays known."""
        self.ports, self.fixed, self.named, self.barred = newer.ports, newer.fixed, newer.named, newer.barred
        names = {name for name, _ in self.named}
        self.learned = {name: addresses for name, addresses in self.learned.items() if name in names}

    def refusal(self, address: Address, port: int, *, local: bool) -> Reason | None:
        """Why a connection is refused; None: it is permitted. `local`: the address reaches this host itself."""
        endpoint = (unmap(address), port)
        if local and port in self.barred:
            return "private_address"
        if endpoint in self.fixed or self._is_proxy(*endpoint):
            return None
        if local or not is_public(address):
            return "private_address"
        return None if port in self.ports else "port_not_allowed"

    def learn(self, name: str, addresses: Iterable[Address]) -> None:
        """Record the addresses of a name, if the name is in `named`."""
        name = name.removesuffix(".")
        if not any(name == named for named, _ in self.named):
            return
        known = self.learned.setdefault(name, {})
        for address in map(unmap, addresses):
            known.pop(address, None)
            known[address] = None
            if len(known) > MAX_LEARNED:
                del known[next(iter(known))]

    @property
    def tcp_ports(self) -> frozenset[int]:
        """Every TCP port that some target may use, now or under later rules."""
        named = {port for _, port in self.named}
        return self.ports | {port for _, port in self.fixed} | named | self.later_ports

    def _is_proxy(self, address: Address, port: int) -> bool:
        return any(of == port and address in self.learned.get(name, ()) for name, of in self.named)


def parse_rules(
    ports: Iterable[int], targets: Iterable[str], barred: Iterable[int], later_ports: Iterable[int] = ()
) -> TargetRules:
    """Parse rules. `targets`: `address` (on any of `ports`), `address:port` or `name:port`. Raises MalformedTarget."""
    allowed = frozenset(ports)
    fixed: set[tuple[Address, int]] = set()
    named: set[tuple[str, int]] = set()
    for text in targets:
        try:
            address = unmap(ip_address(text))
        except ValueError:
            pass
        else:
            fixed |= {(address, port) for port in allowed}
            continue
        target = parse_authority(text.encode("ascii", "replace"))
        if target.address is None:
            named.add((target.host, target.port))
        else:
            fixed.add((unmap(target.address), target.port))
    return TargetRules(allowed, frozenset(fixed), frozenset(named), frozenset(barred), frozenset(later_ports))

"""Decides where the dialer may connect to. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address

from pageworker_sandbox.egress.address import Address, is_public, unmap
from pageworker_sandbox.egress.messages import Reason
from pageworker_sandbox.egress.target import parse_authority


@dataclass(frozen=True)
class TargetRules:
    """The rules, parsed. In this order: a `barred` port of this host is refused; a `fixed` target is permitted, even a
    private one; a public address is permitted on `ports`."""

    ports: frozenset[int]
    fixed: frozenset[tuple[Address, int]] = frozenset()
    named: frozenset[tuple[str, int]] = frozenset()
    """Upstream proxies (name, port). The addresses that the name resolves to may be private."""
    barred: frozenset[int] = frozenset()
    learned: set[tuple[Address, int]] = field(default_factory=set)
    """The addresses and ports that the names of `named` resolved to."""

    def refusal(self, address: Address, port: int, *, local: bool) -> Reason | None:
        """Why a connection is refused; None: it is permitted. `local`: the address reaches this host itself."""
        endpoint = (unmap(address), port)
        if local and port in self.barred:
            return "private_address"
        if endpoint in self.fixed or endpoint in self.learned:
            return None
        if local or not is_public(address):
            return "private_address"
        return None if port in self.ports else "port_not_allowed"

    def learn(self, name: str, addresses: Iterable[Address]) -> None:
        """Record the addresses of a name, if the name is in `named`."""
        for named, port in self.named:
            if named == name.removesuffix("."):
                self.learned.update((unmap(address), port) for address in addresses)

    @property
    def tcp_ports(self) -> frozenset[int]:
        """Every TCP port that some target may use."""
        return self.ports | {port for _, port in self.fixed} | {port for _, port in self.named}


def parse_rules(ports: Iterable[int], targets: Iterable[str], barred: Iterable[int]) -> TargetRules:
    """Parse rules. `targets`: `address` (on any of `ports`), `address:port` or `name:port`. Raises MalformedTarget."""
    allowed = frozenset(ports)
    fixed: set[tuple[Address, int]] = set()
    named: set[tuple[str, int]] = set()
    for text in targets:
        try:
            fixed |= {(unmap(ip_address(text)), port) for port in allowed}
            continue
        except ValueError:
            pass
        target = parse_authority(text.encode("ascii", "replace"))
        if target.address is None:
            named.add((target.host, target.port))
        else:
            fixed.add((unmap(target.address), target.port))
    return TargetRules(allowed, frozenset(fixed), frozenset(named), frozenset(barred))

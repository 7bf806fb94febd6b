"""Where the dialer may connect to. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address

from pageworker_sandbox.egress.address import Address, is_public, unmap
from pageworker_sandbox.egress.messages import Reason
from pageworker_sandbox.egress.target import parse_authority


@dataclass(frozen=True)
class TargetRules:
    """`ports` of public addresses; `fixed` targets may be private; `barred` ports of this host never, fixed or not."""

    ports: frozenset[int]
    fixed: frozenset[tuple[Address, int]] = frozenset()
    named: frozenset[tuple[str, int]] = frozenset()
    """Upstream proxies by name: what they resolve to may be private too."""
    barred: frozenset[int] = frozenset()
    learned: set[tuple[Address, int]] = field(default_factory=set)
    """What the named ones resolved to."""

    def refusal(self, address: Address, port: int, *, local: bool) -> Reason | None:
        """Why there is no connection to this place. `local`: the kernel would connect to this very host."""
        place = (unmap(address), port)
        if local and port in self.barred:
            return "private_address"
        if place in self.fixed or place in self.learned:
            return None
        if local or not is_public(address):
            return "private_address"
        return None if port in self.ports else "port_not_allowed"

    def learn(self, name: str, addresses: Iterable[Address]) -> None:
        """A name was resolved: if it is a proxy's, its addresses may be connected to."""
        for named, port in self.named:
            if named == name.removesuffix("."):
                self.learned.update((unmap(address), port) for address in addresses)

    @property
    def tcp_ports(self) -> frozenset[int]:
        """Every port that is ever connected to."""
        return self.ports | {port for _, port in self.fixed} | {port for _, port in self.named}


def parse_rules(ports: Iterable[int], targets: Iterable[str], barred: Iterable[int]) -> TargetRules:
    """`targets`: `address` (any of `ports`), `address:port` or `name:port`. Raises MalformedTarget."""
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

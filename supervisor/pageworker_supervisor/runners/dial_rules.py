"""Where the dialer may connect to, for all runners together. Pure."""

from collections.abc import Iterable

from pageworker_sandbox.dialer.messages import DialRules
from pageworker_supervisor.config.settings import EgressSettings


def dial_rules(egress: EgressSettings, own_ports: Iterable[int]) -> DialRules:
    """Public addresses on `egress.ports`, and `egress.hosts`; never the worker's own ports on this host."""
    return DialRules(
        ports=egress.ports,
        targets=tuple(sorted(set(egress.hosts.values()))),
        barred=tuple(sorted(set(own_ports))),
    )

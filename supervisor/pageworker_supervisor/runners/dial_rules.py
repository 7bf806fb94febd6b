"""Where the dialer may connect to, for all runners together. Pure."""

from collections.abc import Iterable, Mapping

from pageworker_sandbox.dialer.messages import DialRules
from pageworker_supervisor.config.proxy_settings import ProxySettings
from pageworker_supervisor.config.settings import EgressSettings
from pageworker_supervisor.config.upstream_url import parse_upstream

Policies = Mapping[str, ProxySettings]


def dialled_policies(configured: Policies, before: Policies, in_use: Iterable[str]) -> Policies:
    """The configured policies, and those of `before` that are removed and that a runner still has (`in_use`).

    A running job keeps its way out: the removal of its policy must not cut it off from its proxies.
    """
    return {**{name: before[name] for name in in_use if name in before}, **configured}


def dial_rules(egress: EgressSettings, own_ports: Iterable[int], proxies: Policies | None = None) -> DialRules:
    """Public addresses on `egress.ports`, `egress.hosts`, and the upstreams of `[proxies]`; never the worker's own
    ports on this host."""
    upstreams = {parse_upstream(url).endpoint for policy in (proxies or {}).values() for url in policy.upstreams}
    return DialRules(
        ports=egress.ports,
        targets=tuple(sorted({*egress.hosts.values(), *upstreams})),
        proxy_ports=tuple(sorted(set(egress.proxy_ports))),
        barred=tuple(sorted(set(own_ports))),
    )

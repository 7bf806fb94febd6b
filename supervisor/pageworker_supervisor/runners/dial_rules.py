"""Where the dialer may connect to, for all runners together. Pure."""

from collections.abc import Iterable, Mapping

from pageworker_sandbox.dialer.messages import DialRules
from pageworker_supervisor.config.proxy_settings import ProxySettings
from pageworker_supervisor.config.settings import EgressSettings
from pageworker_supervisor.config.upstream_url import parse_upstream


def dial_rules(
    egress: EgressSettings, own_ports: Iterable[int], proxies: Mapping[str, ProxySettings] | None = None
) -> DialRules:
    """Public addresses on `egress.ports`, `egress.hosts`, and the upstreams of `[proxies]`; never the worker's own
    ports on this host."""
    upstreams = {parse_upstream(url).endpoint for policy in (proxies or {}).values() for url in policy.upstreams}
    return DialRules(
        ports=egress.ports,
        targets=tuple(sorted({*egress.hosts.values(), *upstreams})),
        proxy_ports=tuple(sorted(set(egress.proxy_ports))),
        barred=tuple(sorted(set(own_ports))),
    )

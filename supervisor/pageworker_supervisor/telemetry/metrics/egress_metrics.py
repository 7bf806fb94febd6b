"""Requests of pages, and the upstream proxies that they take."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge

from pageworker_sandbox.wire.messages import BlockedKind
from pageworker_supervisor.contract.traffic import Traffic
from pageworker_supervisor.telemetry.metrics.bounded import Bounded
from pageworker_supervisor.telemetry.metrics.labels import MetricLabels


class EgressMetrics:
    """What pages request, and the upstream proxies that they use."""

    def __init__(self, registry: CollectorRegistry, labels: MetricLabels) -> None:
        self._labels = labels
        self._upstreams: set[tuple[str, str]] = set()
        self.requests = Counter(
            "pageworker_egress_requests",
            "Requests and tunnels that runners asked the egress gateway for, refused ones included.",
            ("tenant",),
            registry=registry,
        )
        self.bytes = Counter(
            "pageworker_egress_bytes",
            "Bytes between the egress gateway and the hosts.",
            ("direction", "tenant"),
            registry=registry,
        )
        self.refusals = Counter(
            "pageworker_egress_refusals",
            "Requests that the egress policy refused.",
            ("reason", "tenant"),
            registry=registry,
        )
        self.requests_blocked = Counter(
            "pageworker_requests_blocked",
            "Requests that browsers did not send because of `block` or `block_hosts`, by type, or `host`.",
            ("tenant", "type"),
            registry=registry,
        )
        self.upstream_up = Gauge(
            "pageworker_proxy_upstream_up",
            "1 while an upstream proxy works, 0 while the egress gateway leaves it out.",
            ("policy", "upstream"),
            registry=registry,
        )
        self.upstream_failures = Counter(
            "pageworker_proxy_upstream_failures",
            "Times that an upstream proxy stopped working, by reason.",
            ("policy", "upstream", "reason"),
            registry=registry,
        )
        self._requests = Bounded(self.requests)
        self._bytes = Bounded(self.bytes, keep=1)
        self._refusals = Bounded(self.refusals)
        self._requests_blocked = Bounded(self.requests_blocked)
        self._upstream_up = Bounded(self.upstream_up)
        self._upstream_failures = Bounded(self.upstream_failures)

    def add(self, tenant_id: str, growth: Traffic) -> None:
        """Add what the egress gateway has counted since the last call."""
        tenant = self._labels.tenant(tenant_id)
        self._requests.of(tenant).inc(growth.requests)
        self._bytes.of("sent", tenant).inc(growth.bytes_out)
        self._bytes.of("received", tenant).inc(growth.bytes_in)

    def refused(self, tenant_id: str, reason: str, count: int = 1) -> None:
        """Count requests that the egress gateway refused."""
        self._refusals.of(reason, self._labels.tenant(tenant_id)).inc(count)

    def count_blocked(self, tenant_id: str, requests: Mapping[BlockedKind, int]) -> None:
        """Count requests that a browser did not send."""
        for kind, count in requests.items():
            self._requests_blocked.of(self._labels.tenant(tenant_id), kind).inc(count)

    def upstreams(self, up: Mapping[tuple[str, str], bool]) -> None:
        """Set which upstream proxies work, by policy and `host:port`. Those that are not named are removed."""
        for gone in self._upstreams - up.keys():
            self._upstream_up.drop(*gone)
        self._upstreams = set(up)
        for (policy, upstream), works in up.items():
            self._upstream_up.of(policy, upstream).set(int(works))

    def upstream_failed(self, policy: str, upstream: str, reason: str) -> None:
        """Count an upstream proxy that stopped working."""
        self._upstream_failures.of(policy, upstream, reason).inc()

"""Which upstreams are down, as the egress gateway reports it. Pure, but for the metrics that it sets."""

from collections.abc import Mapping

from msgspec import Struct

from pageworker_supervisor.config.proxy_settings import ProxySettings
from pageworker_supervisor.config.upstream_url import parse_upstream
from pageworker_supervisor.telemetry import log
from pageworker_supervisor.telemetry.metrics import Metrics


class DownUpstream(Struct, frozen=True, kw_only=True):
    """An upstream that does not work now. `upstream`: `host:port`."""

    policy: str
    upstream: str
    country: str | None
    reason: str


class UpstreamReports:
    """The last report of each upstream. One that was not reported counts as up: the gateway reports changes."""

    def __init__(self, metrics: Metrics, proxies: Mapping[str, ProxySettings]) -> None:
        self._metrics = metrics
        self._reasons: dict[str, str] = {}
        """By URL, as the gateway names upstreams."""
        self.use(proxies)

    def use(self, proxies: Mapping[str, ProxySettings]) -> None:
        """Report about the upstreams of these policies from now on."""
        self._proxies = proxies
        self._pools = {name: _pool(policy) for name, policy in proxies.items()}
        known = {url for pool in self._pools.values() for url in pool}
        self._reasons = {url: why for url, why in self._reasons.items() if url in known}
        self._show()

    def report(self, url: str, reason: str | None) -> None:
        """The gateway says why an upstream does not work; None: it works again."""
        policies = [name for name, pool in self._pools.items() if url in pool]
        if reason is None:
            self._reasons.pop(url, None)
            log.info("upstream proxy works again", upstream=url, proxies=policies)
        else:
            self._reasons[url] = reason
            log.warning("upstream proxy does not work", upstream=url, proxies=policies, reason=reason)
            for policy in policies:
                self._metrics.egress.upstream_failed(policy, self._pools[policy][url], reason)
        self._show()

    def forget(self) -> None:
        """The gateway is another one: nothing is known."""
        self._reasons.clear()
        self._show()

    def down(self) -> tuple[DownUpstream, ...]:
        """What does not work now, by policy."""
        return tuple(
            DownUpstream(policy=name, upstream=endpoint, country=self._proxies[name].country, reason=self._reasons[url])
            for name, pool in self._pools.items()
            for url, endpoint in pool.items()
            if url in self._reasons
        )

    def _show(self) -> None:
        self._metrics.egress.upstreams(
            {
                (name, endpoint): url not in self._reasons
                for name, pool in self._pools.items()
                for url, endpoint in pool.items()
            }
        )


def _pool(policy: ProxySettings) -> dict[str, str]:
    """`host:port` of each upstream, by its URL."""
    return {str(upstream): upstream.endpoint for upstream in map(parse_upstream, policy.upstreams)}

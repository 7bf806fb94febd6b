"""Which upstreams are down, in the status and in the metrics."""

from pw_proxies import pool

from pageworker_supervisor.proxies.health import DownUpstream, UpstreamReports
from pageworker_supervisor.telemetry.metrics import Metrics

POLICIES = {"de": pool(country="de"), "all": pool(upstreams=["http://p1.test:3128", "http://q.test:3128"])}


def up(metrics: Metrics) -> dict[str, float]:
    return {
        f"{sample.labels['policy']} {sample.labels['upstream']}": sample.value
        for family in metrics.egress.upstream_up.collect()
        for sample in family.samples
    }


def test_an_upstream_is_down_in_every_policy_that_has_it_until_it_is_up_again() -> None:
    metrics = Metrics()
    health = UpstreamReports(metrics, POLICIES)
    assert set(up(metrics).values()) == {1.0}
    assert len(up(metrics)) == 5
    health.report("http://p1.test:3128", "refused")
    assert health.down() == (
        DownUpstream(policy="de", upstream="p1.test:3128", country="de", reason="refused"),
        DownUpstream(policy="all", upstream="p1.test:3128", country=None, reason="refused"),
    )
    assert [name for name, works in up(metrics).items() if not works] == ["de p1.test:3128", "all p1.test:3128"]
    assert b'failures_total{policy="de",reason="refused",upstream="p1.test:3128"} 1.0' in metrics.expose()
    health.report("http://p1.test:3128", None)
    assert health.down() == ()
    assert set(up(metrics).values()) == {1.0}


def test_an_upstream_that_no_policy_has_any_more_is_forgotten() -> None:
    metrics = Metrics()
    health = UpstreamReports(metrics, POLICIES)
    health.report("http://q.test:3128", "timed_out")
    health.use({"de": POLICIES["de"]})
    assert (health.down(), len(up(metrics))) == ((), 3)
    health.use(POLICIES)
    assert health.down() == (), "its new life begins without a report"


def test_another_gateway_knows_nothing() -> None:
    health = UpstreamReports(Metrics(), POLICIES)
    health.report("http://q.test:3128", "tls")
    health.forget()
    assert health.down() == ()

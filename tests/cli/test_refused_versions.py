"""Versions that did not load, of all workers together."""

from pw_worker.reports import worker_report

from pageworker_supervisor.cli.refused_versions import RefusedVersion, refused_versions
from pageworker_supervisor.contract.worker_report import FORGOTTEN_SECONDS, RefusedModule, WorkerReport


def reporting(
    worker: str, *versions: str, module: str = "shop", tenant: str = "acme", at: float = 100.0
) -> WorkerReport:
    refused = tuple(
        RefusedModule(module=module, version=version, tenant_id=tenant, reason=f"{worker}: no `x`")
        for version in versions
    )
    return worker_report(worker, modules_refused=refused, reported_at=at)


def test_workers_that_refuse_the_same_are_one_row() -> None:
    reports = [
        reporting("w2", "1.1.0"),
        reporting("w1", "1.1.0", "1.2.0"),
        reporting("w3", "1.1.0", tenant="zeta"),
        reporting("w4", "1.1.0", module="news"),
        reporting("w5"),
    ]
    assert refused_versions("shop", reports, 101.0) == (
        RefusedVersion("1.1.0", "acme", ("w1", "w2"), "w2: no `x`"),
        RefusedVersion("1.1.0", "zeta", ("w3",), "w3: no `x`"),
        RefusedVersion("1.2.0", "acme", ("w1",), "w1: no `x`"),
    )


def test_a_worker_that_reports_no_more_does_not_count() -> None:
    assert refused_versions("shop", [reporting("w1", "1.1.0")], 101.0 + FORGOTTEN_SECONDS) == ()

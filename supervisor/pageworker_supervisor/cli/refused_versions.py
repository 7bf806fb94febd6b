"""Versions of a module that runners could not load, from the reports of the workers. Pure."""

from collections.abc import Iterable

from msgspec import Struct

from pageworker_supervisor.contract.worker_report import WorkerReport


class RefusedVersion(Struct, frozen=True):
    """A version that these workers refuse for jobs of a tenant. `reason`: what one of them was told."""

    version: str
    tenant_id: str
    workers: tuple[str, ...]
    reason: str


def refused_versions(module: str, reports: Iterable[WorkerReport], now: float) -> tuple[RefusedVersion, ...]:
    """Those of one module. `now`: Unix seconds on Redis' clock."""
    reasons: dict[tuple[str, str], dict[str, str]] = {}
    for report in reports:
        if not report.forgotten(now):
            for refused in report.modules_refused:
                if refused.module == module:
                    reasons.setdefault((refused.version, refused.tenant_id), {})[report.worker_id] = refused.reason
    return tuple(
        RefusedVersion(version, tenant_id, tuple(sorted(by_worker)), next(iter(by_worker.values())))
        for (version, tenant_id), by_worker in sorted(reasons.items())
    )

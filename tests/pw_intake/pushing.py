"""Jobs, and intervals for tests: a worker counts as dead after a second."""

import json
from typing import Any

from pageworker_supervisor.config.ingress_settings import IngressSettings
from pageworker_supervisor.config.settings import Settings, TenantSettings
from pageworker_supervisor.intake import Admission
from pageworker_supervisor.intake.timing import IntakeTimeouts

_SETTINGS = Settings()
ADMISSION = Admission(_SETTINGS.tenants, _SETTINGS.domains, _SETTINGS.jobs)


def of_tenants(*tenants: str, require_origin: bool = False, **settings: TenantSettings) -> Admission:
    """Admission with inboxes of these tenants. `settings`: of some of them."""
    return Admission(
        {name: TenantSettings() for name in tenants} | settings,
        _SETTINGS.domains,
        _SETTINGS.jobs,
        ingress=IngressSettings(tenant_inboxes=True, require_origin=require_origin),
    )


QUICK = IntakeTimeouts(block_seconds=0.2, upkeep_seconds=0.2, silent_seconds=1.0, forget_seconds=2.0)


def job(number: int, tenant: str = "acme", **fields: Any) -> bytes:
    """The text of a job."""
    return json.dumps(
        {"job_id": f"{tenant}-{number}", "tenant_id": tenant, "endpoint_module": "echo"} | fields
    ).encode()

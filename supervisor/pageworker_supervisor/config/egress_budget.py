"""How much of the network a job may use: the smallest budget of the settings, its tenant and its module. Pure."""

from collections.abc import Mapping

from msgspec import Struct

from pageworker_sandbox.signing import Manifest
from pageworker_supervisor.config.live import Live
from pageworker_supervisor.config.settings import EgressSettings, TenantSettings
from pageworker_supervisor.config.tenant_lookup import limits_for
from pageworker_supervisor.contract.traffic import Traffic


class EgressBudget(Struct, frozen=True):
    """Of all attempts of a job together. None: no limit. `bytes`: sent and received; `requests`: tunnels included."""

    bytes: int | None = None
    requests: int | None = None

    def __bool__(self) -> bool:
        """Whether it limits anything."""
        return self != NO_BUDGET

    def left(self, used: Traffic) -> "EgressBudget":
        """What is left of it after this use, at least 0."""
        return EgressBudget(
            None if self.bytes is None else max(0, self.bytes - used.bytes_in - used.bytes_out),
            None if self.requests is None else max(0, self.requests - used.requests),
        )


NO_BUDGET = EgressBudget()


class EgressBudgets:
    """Follows the settings."""

    def __init__(self, egress: Live[EgressSettings], tenants: Live[dict[str, TenantSettings]]) -> None:
        self._egress = egress
        self._tenants = tenants

    def of(self, tenant_id: str, manifest: Manifest) -> EgressBudget:
        """The budget of a job that begins now."""
        return smallest(self._egress.value, self._tenants.value, tenant_id, manifest)


def smallest(
    egress: EgressSettings, tenants: Mapping[str, TenantSettings], tenant_id: str, manifest: Manifest
) -> EgressBudget:
    """The smallest that is named, of bytes and of requests on their own."""
    tenant = limits_for(tenants, tenant_id)
    return EgressBudget(
        _smallest(egress.budget_bytes, tenant.egress_budget_bytes, manifest.budget_bytes),
        _smallest(egress.budget_requests, tenant.egress_budget_requests, manifest.budget_requests),
    )


def _smallest(*named: int | None) -> int | None:
    return min((number for number in named if number is not None), default=None)

"""The label values that several subjects share. Pure."""

from collections.abc import Collection

from pageworker_supervisor.telemetry.label_values import LabelValues


class MetricLabels:
    """Tenants and modules as label values. `tenants` get a value each, as far as there is space."""

    def __init__(self, tenants: Collection[str] = ()) -> None:
        self._tenants = LabelValues(_names(tenants))
        self._modules = LabelValues(())

    def know_tenants(self, tenants: Collection[str]) -> None:
        """Give these tenants a label value of their own, as far as there is space. Those that had one keep it."""
        self._tenants.know(_names(tenants))

    def tenant(self, tenant_id: str) -> str:
        """The label value of a tenant: its id, or `other`."""
        return self._tenants.of(tenant_id, learn=False)

    def module(self, name: str, *, learn: bool = True) -> str:
        """The label value of a module: its name, or `other`. `learn=False` if the name is not verified."""
        return self._modules.of(name, learn=learn)


def _names(tenants: Collection[str]) -> list[str]:
    """Those that are no globs."""
    return [name for name in tenants if not set(name) & set("*?[")]

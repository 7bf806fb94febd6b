"""Checks whether a tenant may run a module. Pure."""

from fnmatch import fnmatchcase

from pageworker_sandbox.signing import VerifiedBundle
from pageworker_supervisor.registry.errors import TenantNotAllowed


def check_tenant(bundle: VerifiedBundle, tenant_id: str) -> None:
    """Raises TenantNotAllowed unless a glob of the module's `tenants` matches."""
    if not any(fnmatchcase(tenant_id, glob) for glob in bundle.manifest.tenants):
        raise TenantNotAllowed(f"{bundle.name} {bundle.version} does not allow tenant {tenant_id}")

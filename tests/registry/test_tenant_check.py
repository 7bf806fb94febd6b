"""Which tenants may run a module."""

import pytest
from pw_modules.author import Author, packed

from pageworker_sandbox.signing import verify
from pageworker_supervisor.registry.errors import TenantNotAllowed
from pageworker_supervisor.registry.tenant_check import check_tenant

AUTHOR = Author()


@pytest.mark.parametrize(
    ("tenants", "tenant_id", "allowed"),
    [
        ('["*"]', "acme", True),
        ("[]", "acme", False),
        ('["acme"]', "acme", True),
        ('["acme"]', "acme-2", False),
        ('["acme-*", "b?"]', "acme-2", True),
        ('["acme-*", "b?"]', "b1", True),
        ('["acme-*", "b?"]', "b", False),
    ],
)
def test_a_glob_of_the_manifest_has_to_match(tenants: str, tenant_id: str, allowed: bool) -> None:
    bundle = verify(AUTHOR.signed(packed(more=f"tenants = {tenants}\n")), AUTHOR.trust)
    if allowed:
        check_tenant(bundle, tenant_id)
        return
    with pytest.raises(TenantNotAllowed, match=f"shop.product 1.4.2 does not allow tenant {tenant_id}"):
        check_tenant(bundle, tenant_id)

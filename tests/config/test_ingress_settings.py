"""The section `[ingress]`."""

import pytest

from pageworker_supervisor.config.ingress_settings import IngressSettings


@pytest.mark.parametrize(
    ("tenant_inboxes", "require_origin", "per_tenant"),
    [(False, False, False), (True, False, True), (False, True, True), (True, True, True)],
)
def test_a_closed_common_inbox_opens_those_of_tenants(
    tenant_inboxes: bool, require_origin: bool, per_tenant: bool
) -> None:
    settings = IngressSettings(tenant_inboxes=tenant_inboxes, require_origin=require_origin)
    assert settings.per_tenant is per_tenant


def test_by_default_the_common_inbox_alone_is_read() -> None:
    assert not IngressSettings().per_tenant

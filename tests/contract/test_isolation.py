"""Isolation is a value: equal ones share, and the default shares with the whole tenant."""

from pageworker_supervisor.contract.isolation import TENANT_ISOLATION, Isolation


def test_the_default_is_no_limit_within_the_tenant() -> None:
    assert Isolation() == TENANT_ISOLATION
    assert len({TENANT_ISOLATION, Isolation("cart"), Isolation(module="cart"), Isolation(one_job=True)}) == 4

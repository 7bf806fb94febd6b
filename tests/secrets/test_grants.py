"""Which job may have which secret. Each of the three parties can refuse it."""

import pytest

from pageworker_supervisor.config.live import Live
from pageworker_supervisor.config.secret_settings import SecretGrantSettings
from pageworker_supervisor.secrets.backend import SecretRef
from pageworker_supervisor.secrets.grants import SecretGrants

GRANTS = SecretGrants(
    Live(
        {
            "shop_*": SecretGrantSettings(tenants=("acme", "team-*"), modules=("shop.*",)),
            "shop_admin": SecretGrantSettings(tenants=("acme",), modules=("shop.admin",)),
            "free": SecretGrantSettings(tenants=("*",), modules=("*",)),
        }
    )
)


@pytest.mark.parametrize(
    ("tenant", "name", "module", "listed", "why_not"),
    [
        ("acme", "shop_login", "shop.account", ("shop_login",), None),
        ("team-red", "shop_login", "shop.account", ("other", "shop_login"), None),
        ("globex", "free", "any.thing", ("free",), None),
        ("acme", "shop_admin", "shop.admin", ("shop_admin",), None),
        ("acme", "shop_login", "shop.account", (), "`secrets` in module.toml of shop.account"),
        ("acme", "shop_login", "shop.account", ("shop_logi", "shop_*"), "`secrets` in module.toml"),
        ("globex", "shop_login", "shop.account", ("shop_login",), "tenant globex"),
        ("acme", "shop_login", "shopaccount", ("shop_login",), "module shopaccount"),
        ("acme", "bank_login", "shop.account", ("bank_login",), "no key of [secrets.grants]"),
        # The longest key wins, even if a shorter one would allow it.
        ("acme", "shop_admin", "shop.account", ("shop_admin",), "module shop.account"),
        ("team-red", "shop_admin", "shop.admin", ("shop_admin",), "tenant team-red"),
    ],
)
def test_all_three_must_allow_it(
    tenant: str, name: str, module: str, listed: tuple[str, ...], why_not: str | None
) -> None:
    found = GRANTS.why_not(SecretRef(tenant, name), module, listed)
    assert (found is None) == (why_not is None), found
    assert why_not is None or why_not in (found or "")


def test_without_a_policy_nothing_is_granted() -> None:
    assert SecretGrants(Live({})).why_not(SecretRef("acme", "login"), "m", ("login",)) is not None
    assert (
        SecretGrants(Live({"*": SecretGrantSettings()})).why_not(SecretRef("acme", "login"), "m", ("login",))
        is not None
    )


def test_a_changed_policy_counts_from_the_next_request_on() -> None:
    live: Live[dict[str, SecretGrantSettings]] = Live({})
    grants, ref = SecretGrants(live), SecretRef("acme", "login")
    live.replace({"login": SecretGrantSettings(tenants=("acme",), modules=("m",))})
    assert grants.why_not(ref, "m", ("login",)) is None
    live.replace({})
    assert grants.why_not(ref, "m", ("login",)) is not None

"""The secrets that settings name: plain names are asked for, globs are reported as not checked."""

from typing import Any

import msgspec
import pytest

from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.secrets.secret_uses import GLOB_OF_NAMES, GLOB_OF_TENANTS, SecretUse, secret_uses

SETTINGS: dict[str, Any] = {
    "tracing": {"header_secrets": {"Authorization": "otlp_login"}},
    "artifacts": {"link_secret": "links"},
    "proxies": {"home": {"credentials": "proxy_login"}, "open": {}},
    "tenants": {
        "acme": {"callback_secret": "hook"},
        "team-*": {"callback_secret": "team_hook"},
        "team-x*": {"callback_secret": "x_hook"},
        "plain": {},
    },
    "secrets": {
        "grants": {
            "shop_admin": {"tenants": ["acme", "team-*"], "modules": ["shop.admin"]},
            "shop_*": {"tenants": ["acme"], "modules": ["shop.*"]},
        }
    },
}


def settings(given: dict[str, Any] = SETTINGS) -> Settings:
    return msgspec.convert(given, Settings)


def rows(uses: list[SecretUse]) -> list[tuple[str, str, str, str]]:
    return [(use.tenant_id, use.name, use.setting, use.not_checked) for use in uses]


def test_each_setting_that_names_a_secret_is_a_row() -> None:
    assert rows(secret_uses(settings())) == [
        ("_fleet", "otlp_login", "tracing.header_secrets.Authorization", ""),
        ("_fleet", "proxy_login", "proxies.home.credentials", ""),
        ("_fleet", "links", "artifacts.link_secret", ""),
        ("acme", "hook", "tenants.acme.callback_secret", ""),
        ("team-*", "team_hook", 'tenants."team-*".callback_secret', GLOB_OF_TENANTS),
        ("team-x*", "x_hook", 'tenants."team-x*".callback_secret', GLOB_OF_TENANTS),
        ("acme", "shop_admin", "secrets.grants.shop_admin", ""),
        ("team-*", "shop_admin", "secrets.grants.shop_admin", GLOB_OF_TENANTS),
        ("acme", "shop_*", 'secrets.grants."shop_*"', GLOB_OF_NAMES),
    ]


@pytest.mark.parametrize(
    ("tenant", "expected"),
    [
        (
            "acme",
            [
                ("acme", "hook", "tenants.acme.callback_secret", ""),
                ("acme", "shop_admin", "secrets.grants.shop_admin", ""),
                ("acme", "shop_*", 'secrets.grants."shop_*"', GLOB_OF_NAMES),
            ],
        ),
        (
            "team-x1",
            [
                ("team-x1", "x_hook", 'tenants."team-x*".callback_secret', ""),
                ("team-x1", "shop_admin", "secrets.grants.shop_admin", ""),
            ],
        ),
        ("plain", []),
        ("unknown", []),
    ],
)
def test_of_one_tenant_the_longest_matching_key_counts(tenant: str, expected: list[tuple[str, str, str, str]]) -> None:
    assert rows(secret_uses(settings(), tenant)) == expected


def test_settings_without_secrets_have_none() -> None:
    assert secret_uses(Settings()) == []


def test_each_use_says_what_the_value_must_be() -> None:
    of_tenants = [*["callback"] * 3, *["grant"] * 3]
    assert [use.kind for use in secret_uses(settings())] == ["header", "login", "link", *of_tenants]

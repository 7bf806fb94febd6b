"""The secrets that the settings name, each with the setting that needs it. Pure."""

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from pageworker_supervisor.config.setting_names import dotted
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.config.tenant_lookup import GlobTable, glob_pattern
from pageworker_supervisor.secrets.backend import FLEET

GLOB_OF_NAMES = "a glob of names: list the name in [secrets.grants] to have it checked"
GLOB_OF_TENANTS = "a glob of tenants: name one by --tenant"


class SecretUse(Struct, frozen=True, kw_only=True):
    """A secret and one setting that names it. `not_checked`: why no backend can be asked for it; then `tenant_id` or
    `name` is a glob. Empty: it can."""

    tenant_id: str
    name: str
    setting: str
    kind: Literal["header", "login", "link", "callback", "grant"]
    not_checked: str = ""


def secret_uses(settings: Settings, tenant_id: str | None = None) -> list[SecretUse]:
    """All of them, in the order of the settings' sections. `tenant_id`: those of one tenant only."""
    return [
        *(_of_fleet(settings) if tenant_id is None else ()),
        *_callbacks(settings, tenant_id),
        *_grants(settings, tenant_id),
    ]


def _of_fleet(settings: Settings) -> Iterator[SecretUse]:
    for header, name in settings.tracing.header_secrets.items():
        setting = dotted(("tracing", "header_secrets", header))
        yield SecretUse(tenant_id=FLEET, name=name, setting=setting, kind="header")
    for policy, proxy in settings.proxies.items():
        if proxy.credentials is not None:
            setting = dotted(("proxies", policy, "credentials"))
            yield SecretUse(tenant_id=FLEET, name=proxy.credentials, setting=setting, kind="login")
    if (link := settings.artifacts.link_secret) is not None:
        yield SecretUse(tenant_id=FLEET, name=link, setting=dotted(("artifacts", "link_secret")), kind="link")


def _callbacks(settings: Settings, tenant_id: str | None) -> Iterator[SecretUse]:
    if tenant_id is None:
        found = [(key.lower(), key) for key in settings.tenants]
    else:
        # The longest matching key wins, as in limits_for.
        match = GlobTable[str | None]({key.lower(): key for key in settings.tenants}, None).find(tenant_id)
        found = [] if match is None else [(tenant_id, match)]
    for whose, key in found:
        name = settings.tenants[key].callback_secret
        if name is not None:
            yield SecretUse(
                tenant_id=whose,
                name=name,
                setting=dotted(("tenants", key, "callback_secret")),
                kind="callback",
                not_checked=GLOB_OF_TENANTS if _is_glob(whose) else "",
            )


def _grants(settings: Settings, tenant_id: str | None) -> Iterator[SecretUse]:
    for name, grant in settings.secrets.grants.items():
        if tenant_id is None:
            tenants = grant.tenants
        else:
            given = any(glob_pattern(glob).fullmatch(tenant_id) for glob in grant.tenants)
            tenants = (tenant_id,) if given else ()
        for whose in tenants:
            why = GLOB_OF_NAMES if _is_glob(name) else GLOB_OF_TENANTS if _is_glob(whose) else ""
            setting = dotted(("secrets", "grants", name))
            yield SecretUse(tenant_id=whose, name=name, setting=setting, kind="grant", not_checked=why)


def _is_glob(text: str) -> bool:
    return bool(set(text) & {"*", "?"})

"""Which job may have which secret: tenant, module.toml and `[secrets.grants]` must all allow it. Pure."""

from collections.abc import Collection, Mapping

from pageworker_supervisor.config.live import Live
from pageworker_supervisor.config.secret_settings import SecretGrantSettings
from pageworker_supervisor.config.tenant_lookup import GlobTable, glob_pattern
from pageworker_supervisor.secrets.backend import SecretRef


class SecretGrants:
    """The operator's policy. The longest key of `[secrets.grants]` that matches a name wins."""

    def __init__(self, grants: Live[dict[str, SecretGrantSettings]]) -> None:
        self._use(grants.value)
        grants.on_change(self._use)

    def _use(self, grants: Mapping[str, SecretGrantSettings]) -> None:
        self._table: GlobTable[SecretGrantSettings | None] = GlobTable(grants, None)

    def why_not(self, ref: SecretRef, module: str, manifest_secrets: Collection[str]) -> str | None:
        """Why a job of this tenant and module does not get the secret; None: it does.

        The tenant part of the rule is `ref` itself: a job asks for a name, and gets its own tenant's secret.
        """
        if ref.name not in manifest_secrets:
            return f"`secrets` in module.toml of {module} does not list it"
        grant = self._table.find(ref.name)
        if grant is None:
            return "no key of [secrets.grants] covers it"
        if not _matches(grant.tenants, ref.tenant_id):
            return f"[secrets.grants] does not allow it to tenant {ref.tenant_id}"
        if not _matches(grant.modules, module):
            return f"[secrets.grants] does not allow it to module {module}"
        return None


def _matches(globs: Collection[str], text: str) -> bool:
    return any(glob_pattern(glob).fullmatch(text) for glob in globs)

"""Which proxy policy a job has: its own wish, else its module's, else its tenant's default. Pure."""

from collections.abc import Mapping

from pageworker_supervisor.config.proxy_settings import ProxySettings
from pageworker_supervisor.config.settings import TenantSettings
from pageworker_supervisor.config.tenant_lookup import glob_pattern, limits_for
from pageworker_supervisor.contract.job import DIRECT

NO_PROXY = ""
"""The policy of jobs that go out through the worker's own connection."""


class ProxyRefused(Exception):
    """There is no such policy, or the tenant may not use it. `rule` and `hint` are for the job's sender."""

    type = "proxy_unknown"
    retryable = False

    def __init__(self, name: str, asked_by: str, rule: str, hint: str) -> None:
        super().__init__(f"`proxy`: {asked_by} {rule}; {hint}")
        self.name = name
        self.rule = f"{asked_by} {rule}"
        self.hint = hint
        self.detail = {"field": "proxy", "rule": self.rule, "hint": hint}


def may_use(policy: ProxySettings, tenant_id: str) -> bool:
    """Whether a tenant may use a policy."""
    return any(glob_pattern(glob).fullmatch(tenant_id) for glob in policy.tenants)


def choose(
    tenant_id: str,
    job: str | None,
    module: str | None,
    tenants: Mapping[str, TenantSettings],
    proxies: Mapping[str, ProxySettings],
) -> str:
    """The name of the policy, NO_PROXY for none. `job`, `module`: what each of them names. Raises ProxyRefused."""
    tenant = limits_for(tenants, tenant_id)
    wishes = ((job, "the job names"), (module, "module.toml names"), (tenant.proxy, f"tenant {tenant_id} has"))
    name, asked_by = next(((name, by) for name, by in wishes if name is not None), (DIRECT, ""))
    if name == DIRECT:
        if tenant.proxy_required:
            rule = f"`{DIRECT}`, and tenant {tenant_id} must use a proxy"
            raise ProxyRefused(name, asked_by, rule, _fix(tenant_id, proxies))
        return NO_PROXY
    policy = proxies.get(name)
    if policy is None:
        raise ProxyRefused(name, asked_by, f"`{name}`, which is no policy here", _fix(tenant_id, proxies))
    if not may_use(policy, tenant_id):
        rule = f"`{name}`, which tenant {tenant_id} may not use"
        raise ProxyRefused(name, asked_by, rule, _fix(tenant_id, proxies))
    return name


def _fix(tenant_id: str, proxies: Mapping[str, ProxySettings]) -> str:
    """What to do. It names no policy of other tenants."""
    allowed = sorted(name for name, policy in proxies.items() if may_use(policy, tenant_id))
    known = ", ".join(allowed) or "none"
    return f"the tenant may use: {known}; the operator permits more in `tenants` of [proxies.NAME]"

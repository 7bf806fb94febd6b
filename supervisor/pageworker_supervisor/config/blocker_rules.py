"""Rules of `[tenants.NAME.blockers]` that types cannot express. Pure."""

from collections.abc import Iterator

from pageworker_supervisor.config.blocker_settings import LEAST_COOL_SECONDS, BlockerPolicy
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.config.tenant_lookup import glob_pattern
from pageworker_supervisor.config.value_checks import RuleFinding


def blocker_findings(settings: Settings) -> Iterator[RuleFinding]:
    """Problems of the policies: a proxy that the tenant may not use, a setting without effect."""
    for name, tenant in settings.tenants.items():
        for kind, policy in tenant.blockers.items():
            at = ("tenants", name, "blockers", kind)
            yield from _policy(at, policy)
            yield from _proxy(at, name, policy.proxy, settings)


def _policy(at: tuple[str, ...], policy: BlockerPolicy) -> Iterator[RuleFinding]:
    if 0 < policy.cool_profile_seconds < LEAST_COOL_SECONDS:
        yield (*at, "cool_profile_seconds"), policy.cool_profile_seconds, f"0, or at least {LEAST_COOL_SECONDS}", ""
    if policy.proxy is not None and not policy.retries:
        yield (*at, "proxy"), policy.proxy, "`retries` to be set too", "it is the proxy of those attempts"


def _proxy(at: tuple[str, ...], tenant: str, name: str | None, settings: Settings) -> Iterator[RuleFinding]:
    if name is None:
        return
    policy = settings.proxies.get(name)
    if policy is None:
        known = ", ".join(sorted(settings.proxies)) or "none"
        yield (*at, "proxy"), name, f"the name of a policy in [proxies] ({known})", ""
    elif not any(glob_pattern(glob).fullmatch(tenant) for glob in policy.tenants):
        yield (*at, "proxy"), name, "a policy that the tenant may use", f"add it to `tenants` of [proxies.{name}]"

"""The browser context that a job needs, with what holds now: its module's hosts and isolation, its options, its proxy
policy."""

from msgspec import structs

from pageworker_sandbox.page_rules import combine
from pageworker_sandbox.signing import Manifest
from pageworker_supervisor.config.module_isolation import ModuleIsolation
from pageworker_supervisor.config.tenant_lookup import ProfilePages
from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.contract.job import Job
from pageworker_supervisor.proxies.policies import ProxyPolicies
from pageworker_supervisor.runners.egress_sets import EgressSets
from pageworker_supervisor.runners.option_sets import OptionSets


def wanted_context(
    key: ContextKey,
    job: Job,
    manifest: Manifest,
    egress_sets: EgressSets,
    option_sets: OptionSets,
    profile_pages: ProfilePages,
    proxies: ProxyPolicies,
    isolation: ModuleIsolation,
    *,
    one_page: bool,
) -> ContextKey:
    """`key` is where the job was queued. `one_page`: the job has to be alone on its runner.

    Raises DigestCollision, OptionRefused, ProxyRefused, IsolationRefused."""
    of_profile = profile_pages.options(key.tenant_id, key.profile_id)
    of_tenant = profile_pages.of_tenant(key.tenant_id)
    options = combine(manifest.page, manifest.job_may_set, of_profile, job.page_options(), of_tenant)
    return structs.replace(
        key,
        egress=egress_sets.name(manifest.egress),
        options=option_sets.name(options),
        flavor=manifest.flavor,
        proxy=proxies.choose(key.tenant_id, job.proxy, manifest.proxy),
        one_page=one_page,
        isolation=isolation.of(manifest, key.profile_id),
    )

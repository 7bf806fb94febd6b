"""The context of a job, with what holds when it is claimed."""

from typing import Any, Literal

import pytest
from pw_proxies import policies

from pageworker_sandbox.page_rules import parse_options
from pageworker_sandbox.signing.manifest import parse_manifest
from pageworker_supervisor.config.live import Live
from pageworker_supervisor.config.module_isolation import IsolationRefused, ModuleIsolation
from pageworker_supervisor.config.module_settings import ModuleSettings
from pageworker_supervisor.config.settings import TenantSettings
from pageworker_supervisor.config.tenant_lookup import ProfilePages
from pageworker_supervisor.contract.context_key import ContextKey, egress_digest
from pageworker_supervisor.contract.isolation import TENANT_ISOLATION, Isolation
from pageworker_supervisor.contract.job import Job
from pageworker_supervisor.dispatch.wanted_context import wanted_context
from pageworker_supervisor.proxies.choice import ProxyRefused
from pageworker_supervisor.runners.egress_sets import EgressSets
from pageworker_supervisor.runners.option_sets import OptionSets

TOML = """
name = "shop.product"
version = "1.0.0"
entrypoint = "shop_product:handler"
sdk = ">=1,<2"
egress = ["shop.test"]
proxy = "de"
[browser]
flavor = "full"
"""


def isolated(floor: Literal["tenant", "module"]) -> ModuleIsolation:
    return ModuleIsolation(Live(ModuleSettings(isolation=floor)))


def wanted(
    job: dict[str, Any],
    queued: ContextKey = ContextKey("acme", "p1"),
    tenant: TenantSettings = TenantSettings(),
    one_page: bool = False,
    more: str = "",
    floor: Literal["tenant", "module"] = "tenant",
) -> ContextKey:
    given = Job(job_id="j", tenant_id="acme", endpoint_module="shop.product", profile_id=queued.profile_id, **job)
    pages = ProfilePages({"acme/p1": {"locale": "de-DE"}}, lambda _: tenant)
    sets = EgressSets(), OptionSets(), pages, policies({"de": {}, "fr": {}}), isolated(floor)
    return wanted_context(queued, given, parse_manifest(more + TOML), *sets, one_page=one_page)


def test_the_key_has_what_module_profile_and_job_say() -> None:
    options = OptionSets().name(parse_options({"locale": "de-DE"}))
    assert wanted({}) == ContextKey("acme", "p1", egress_digest(["shop.test"]), options, "full", "de")
    assert wanted({"proxy": "fr"}).proxy == "fr"
    assert wanted({"proxy": "direct"}, ContextKey("acme", "p1", proxy="fr")).proxy == "", "not where it was queued"


def test_what_a_tenant_blocks_is_in_the_key() -> None:
    options = OptionSets().name(parse_options({"locale": "de-DE", "block": ["image"], "block_hosts": ["ads.example"]}))
    tenant = TenantSettings(block=("image",), block_hosts=("ads.example",))
    assert wanted({}, tenant=tenant).options == options != wanted({}).options


def test_a_policy_that_vanished_while_the_job_waited_is_named() -> None:
    with pytest.raises(ProxyRefused, match="the job names `gone`"):
        wanted({"proxy": "gone"}, ContextKey("acme", "p1", proxy="gone"))


def test_a_budget_counts_as_it_is_now_and_not_where_the_job_was_queued() -> None:
    queued = ContextKey("acme", "p1", one_page=True)
    assert not wanted({}, queued).one_page
    assert wanted({}, one_page=True).one_page


def test_the_isolation_is_that_of_the_module_now_and_at_least_that_of_the_operator() -> None:
    without_profile = ContextKey("acme", isolation=Isolation("left"))
    assert wanted({}, without_profile).isolation == TENANT_ISOLATION, "not what it was queued with"
    assert wanted({}, more='group = "cart"').isolation == Isolation("cart")
    assert wanted({}, more='isolation = "module"').isolation == Isolation(module="shop.product")
    assert wanted({}, floor="module").isolation == Isolation(module="shop.product")
    assert wanted({}, without_profile, more='isolation = "job"', floor="module").isolation == Isolation(one_job=True)


def test_a_job_with_a_profile_has_no_context_to_itself() -> None:
    with pytest.raises(IsolationRefused, match="The profile `p1` keeps what earlier jobs left"):
        wanted({}, more='isolation = "job"')

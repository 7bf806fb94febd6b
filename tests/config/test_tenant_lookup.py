"""The longest matching key wins."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_sandbox.page_rules import options_digest, parse_options
from pageworker_sandbox.wire.page_options import PageOptions
from pageworker_supervisor.config.limit_settings import DomainSettings
from pageworker_supervisor.config.settings import TenantSettings
from pageworker_supervisor.config.tenant_lookup import ProfilePages, domain_for, glob_pattern, limits_for


def tenants(*keys: str) -> dict[str, TenantSettings]:
    return {key: TenantSettings(concurrency=number) for number, key in enumerate(keys, 1)}


@pytest.mark.parametrize(
    ("keys", "tenant_id", "winner"),
    [
        (["*", "acme"], "acme", 2),
        (["*", "acme"], "other", 1),
        (["*", "acme-*", "acme-*-eu"], "acme-1-eu", 3),
        (["*", "acme-*", "acme-*-eu"], "acme-1-us", 2),
        (["acme-??????", "acme"], "acme", 2),
        (["a?c", "a*"], "abc", 1),
        (["b*", "*b"], "bb", 2),
    ],
)
def test_the_longest_key_wins_and_an_exact_one_over_all(keys: list[str], tenant_id: str, winner: int) -> None:
    assert limits_for(tenants(*keys), tenant_id).concurrency == winner


def test_nothing_matches_means_the_defaults() -> None:
    assert limits_for(tenants("acme"), "other") == TenantSettings()


def test_host_names_have_no_case() -> None:
    domains = {"*.Shop.example": DomainSettings(concurrency=3)}
    assert domain_for(domains, "WWW.shop.EXAMPLE").concurrency == 3
    assert domain_for(domains, "shop.example").concurrency == 1000


def test_the_cache_never_mixes_up_two_configurations() -> None:
    for number in range(1, 50):
        assert limits_for({"*": TenantSettings(concurrency=number)}, "a").concurrency == number


@given(st.text(alphabet="ab*?.", max_size=8), st.text(alphabet="ab.", max_size=8))
def test_globs_are_what_they_seem(glob: str, text: str) -> None:
    def match(glob: str, text: str) -> bool:
        if not glob:
            return not text
        if glob[0] == "*":
            return match(glob[1:], text) or (bool(text) and match(glob, text[1:]))
        return bool(text) and glob[0] in ("?", text[0]) and match(glob[1:], text[1:])

    assert (glob_pattern(glob).fullmatch(text) is not None) == match(glob, text)


def test_a_lookup_among_thousands_of_tenants_is_fast() -> None:
    settings = tenants("*", *(f"tenant-{number}-*" for number in range(5000)))
    names = [f"tenant-{number}-x" for number in range(1000)]
    for name in names:
        limits_for(settings, name)
    began = time.thread_time()  # other processes do not count
    for name in names:
        limits_for(settings, name)
    assert (time.thread_time() - began) / len(names) < 50e-6


def test_the_options_of_a_profile_are_those_of_the_longest_key() -> None:
    pages = ProfilePages({"*/*": {"locale": "en-GB"}, "acme/lyon-*": {"locale": "fr-FR"}, "acme/lyon-2": {}})
    assert pages.options("acme", "lyon-1").locale == "fr-FR"
    assert pages.options("acme", "lyon-2") == PageOptions()
    assert pages.options("other", "lyon-1").locale == "en-GB"
    assert pages.options("acme", None) == PageOptions(), "an ephemeral context is no profile"


def test_what_a_tenant_blocks_are_options_of_all_its_contexts() -> None:
    settings = {"acme": TenantSettings(block=("image",), block_hosts=("*.ADS.example",)), "*": TenantSettings()}
    pages = ProfilePages({}, lambda tenant_id: limits_for(settings, tenant_id))
    assert pages.of_tenant("acme") == parse_options({"block": ["image"], "block_hosts": ["*.ads.example"]})
    assert options_digest(pages.of_tenant("other")) == ""
    assert ProfilePages({}).of_tenant("acme") == pages.of_tenant("other")

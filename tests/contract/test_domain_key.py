"""Which domain a job counts against."""

import pytest

from pageworker_supervisor.contract.domain_key import domain_key, host_of_key


@pytest.mark.parametrize(
    ("declared", "url", "key"),
    [
        (None, None, None),
        (None, 7, None),
        (None, "data:text/html,x", None),
        (None, "https://Shop.Test./p", "shop.test"),
        (None, "https://a_b.test/", "a_b.test"),
        ("SHOP.test.", "https://shop.test/p", "shop.test"),
        ("shop.test", "https://www.shop.test/p", "shop.test"),
        # Nothing confirms these: they count in a domain of the tenant's own.
        ("shop.test", None, "shop.test@acme"),
        ("shop.test", "https://other.test/", "shop.test@acme"),
        ("hop.test", "https://shop.test/", "hop.test@acme"),
    ],
)
def test_a_declared_domain_is_shared_only_where_the_url_confirms_it(
    declared: str | None, url: object, key: str | None
) -> None:
    assert domain_key(declared, url, "acme") == key


def test_a_host_that_no_browser_accepts_is_a_domain_of_its_own() -> None:
    one, other = domain_key(None, "http://exa mple/", "acme"), domain_key(None, "http://exam ple/", "acme")
    assert one is not None
    assert one.startswith("%")
    assert one != other
    assert one == domain_key(None, "http://exa mple/", "acme")


def test_the_settings_of_a_key_are_those_of_its_host() -> None:
    assert host_of_key("shop.test@acme") == "shop.test"
    assert host_of_key("shop.test") == "shop.test"

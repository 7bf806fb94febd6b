"""Hosts of URLs, in all their spellings."""

import pytest

from pageworker_runner.pages.host_globs import host_matcher, is_canonical, requested_host, url_pattern


@pytest.mark.parametrize(
    ("host", "matches"),
    [
        ("shop.test", True),
        ("a.shop.test", False),
        ("a.cdn.test", True),
        ("a.b.cdn.test", True),
        ("cdn.test", False),
        ("w1.test", True),
        ("w10.test", False),
        ("shopxtest", False),
    ],
)
def test_a_host_matches_itself_or_a_glob(host: str, matches: bool) -> None:
    assert host_matcher(["shop.test", "*.cdn.test", "w?.test"])(host) is matches


def test_without_hosts_nothing_matches() -> None:
    assert not host_matcher([])("")
    assert not host_matcher([])("shop.test")


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://shop.test/a?b=http://other.test/", "shop.test"),
        ("HTTPS://anna:pw@SHOP.test.:8443", "shop.test"),
        ("http://[::1]:80/", "[::1]"),
        ("http://[::1/", None),
        ("data:text/html,http://shop.test/", None),
        ("blob:http://shop.test/1", None),
        ("/path", None),
    ],
)
def test_the_host_of_a_url(url: str, host: str | None) -> None:
    assert requested_host(url) == host


@pytest.mark.parametrize("host", ["shop.test", "xn--mnchen-3ya.test", "a_b.test", "localhost", "7.test"])
def test_a_canonical_host_is_compared_as_it_is(host: str) -> None:
    assert is_canonical(host)


@pytest.mark.parametrize("host", ["münchen.test", "sh%6Fp.test", "0x7f.1", "127.0.0.1", "[::1]", "shop。test"])
def test_other_spellings_need_a_better_look(host: str) -> None:
    assert not is_canonical(host)


def test_the_pattern_for_devtools_holds_credentials_and_ports() -> None:
    assert url_pattern("*.cdn.test") == "**.cdn.test*"

"""One host has one written form, however it was spelled."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_sandbox.hostname import (
    HostInvalid,
    host_of_url,
    normalise_host,
    normalise_host_glob,
    policy_host_glob,
)

SPELLINGS = [
    ("Shop.Test", "shop.test"),
    ("shop.test.", "shop.test"),
    ("sh%6Fp.test", "shop.test"),
    ("\uff53hop\uff0etest", "shop.test"),
    ("shop\u3002test", "shop.test"),
    ("sh\u00adop.test", "shop.test"),
    ("MÜNCHEN.test", "xn--mnchen-3ya.test"),
    ("xn--mnchen-3ya.test", "xn--mnchen-3ya.test"),
    ("a_b.test", "a_b.test"),
    ("127.1", "127.0.0.1"),
    ("0x7f.0.0.1", "127.0.0.1"),
    ("2130706433", "127.0.0.1"),
    ("::1", "[::1]"),
    ("[0:0:0:0:0:0:0:1]", "[::1]"),
    ("[::ffff:127.0.0.1]", "127.0.0.1"),
]


@pytest.mark.parametrize(("spelling", "written"), SPELLINGS)
def test_spellings_of_one_host_have_one_form(spelling: str, written: str) -> None:
    assert normalise_host(spelling) == written
    assert normalise_host_glob(spelling) == written


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "a b",
        "shop.test:80",
        "https://shop.test",
        "shop.test/p",
        "a@b",
        "a?b",
        "a..b",
        "a" * 254,
        "\ud83d.test",
    ],
)
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(HostInvalid):
        normalise_host(text)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://münchen.test/", "xn--mnchen-3ya.test"),
        (" \thttps://shop.test./p", "shop.test"),
        ("https:/shop.test", "shop.test"),
        ("https:\\\\shop.test\\p", "shop.test"),
        ("https://user:word@shop.test:8443/", "shop.test"),
        ("shop.test/p/1", "shop.test"),
        ("//shop.test/p", "shop.test"),
        ("view-source:https://shop.test/", "shop.test"),
        ("blob:https://shop.test/1", "shop.test"),
        ("view-source:blob:https://shop.test/1", "shop.test"),
        ("data:text/html,x", None),
        ("mailto:a@shop.test", None),
        ("about:blank", None),
        ("app://Shop.Test./x", "shop.test"),
    ],
)
def test_the_host_of_a_url_is_the_one_a_browser_contacts(url: str, host: str | None) -> None:
    assert host_of_url(url) == host


@pytest.mark.parametrize(
    "url", ["http://exa mple/", "http://a%00b/", "http://[::1/", "app://a%20b/", "http://" + "a" * 300 + "/"]
)
def test_a_url_whose_host_no_browser_accepts_is_refused(url: str) -> None:
    with pytest.raises(HostInvalid):
        host_of_url(url)


@pytest.mark.parametrize("url", ["blob:" * 3 + "https://shop.test/", "view-source: blob:" * 15_000])
def test_a_url_in_many_wrappers_is_refused(url: str) -> None:
    with pytest.raises(HostInvalid, match="at most 2"):
        host_of_url(url)


@pytest.mark.parametrize("path", ["", "?" + "x" * 250_000])
def test_a_long_url_has_the_host_of_a_short_one(path: str) -> None:
    assert host_of_url(f"https://shop.test/{path}") == "shop.test"


@pytest.mark.parametrize(
    ("glob", "written"),
    [
        ("*", "*"),
        ("*.CDN.example", "*.cdn.example"),
        ("*.münchen.test.", "*.xn--mnchen-3ya.test"),
        ("shop-?.test", "shop-?.test"),
        ("a_*.test", "a_*.test"),
    ],
)
def test_globs_are_written_label_by_label(glob: str, written: str) -> None:
    assert normalise_host_glob(glob) == written


def test_a_glob_inside_a_label_outside_of_ascii_is_refused_by_that_label() -> None:
    with pytest.raises(HostInvalid, match=r"mün\*"):
        normalise_host_glob("mün*.test")


def test_the_policy_writes_addresses_without_brackets() -> None:
    assert policy_host_glob("[::1]") == "::1"


@given(st.text(alphabet=string.ascii_letters + "äß.*?_-%[]:\u3002", max_size=40))
def test_a_written_form_is_its_own_written_form(text: str) -> None:
    for function in (normalise_host, normalise_host_glob):
        try:
            written = function(text)
        except HostInvalid:
            continue
        assert function(written) == written
        assert written.isascii()
        assert written == written.lower()


@given(st.text(max_size=60))
def test_any_text_is_a_host_none_or_refused(untrusted_text: str) -> None:
    try:
        host = host_of_url(untrusted_text)
    except HostInvalid:
        return
    assert host is None or normalise_host(host) == host

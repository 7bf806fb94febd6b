"""The allow-list of callback URLs, and URLs that try to get around it."""

from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_supervisor.contract.callback_url import CallbackTarget, GlobInvalid, UrlGlob, allowed

N8N = ("https://n8n.example/webhook*",)


@pytest.mark.parametrize(
    ("url", "globs"),
    [
        ("https://n8n.example/webhook/abc", N8N),
        ("https://n8n.example/webhook-waiting/17?signature=a%2Fb|c", N8N),
        ("https://N8N.Example:443/webhook", N8N),
        ("https://n8n.example/webhook#fragment", N8N),
        ("http://127.0.0.1:5678/x", ("http://127.0.0.1:5678",)),
        ("http://127.0.0.1:5678", ("http://127.0.0.1:5678/",)),
        ("http://127.0.0.1:5678/x", ("http://127.0.0.1:*/*",)),
        ("http://[::1]:5678/x", ("http://[::1]:5678/*",)),
        ("https://a.b.example/x", ("https://*.example",)),
        ("https://x/", ("https://other/*", "https://*")),
        ("https://n8n.example/hook/(1)/~a;b=1,@c", ("https://n8n.example/hook/*",)),
        ("https://n8n.example/a..b/...", ("https://n8n.example/*",)),
        ("https://xn--mnchen-3ya.example/x", ("https://*.example",)),
    ],
)
def test_what_the_operator_meant_is_allowed(url: str, globs: tuple[str, ...]) -> None:
    assert allowed(url, globs)


@pytest.mark.parametrize(
    "url",
    [
        "http://n8n.example/webhook",
        "https://n8n.example:444/webhook",
        "https://n8n.example/admin",
        "https://n8n.example/",
        "https://n8n.example",
        "https://evil.example/webhook",
        "https://n8n.example.evil.example/webhook",
        "https://n8n.example@evil.example/webhook",
        "https://evil.example@n8n.example/webhook",
        "https://:@n8n.example/webhook",
        "https://evil.example/?https://n8n.example/webhook",
        "https://evil.example#https://n8n.example/webhook",
        "https://evil.example\\@n8n.example/webhook",
        "https://n8n.example\\.evil.example/webhook",
        "https://n8n.example/webhook/../admin",
        "https://n8n.example/webhook/%2e%2e/admin",
        "https://n8n.example/webhook/%252e%252e/admin",
        "https://n8n.example/webhook/..%2fadmin",
        "https://n8n.example/webhook/..;/admin",
        "https://n8n.example/webhook/./x",
        "https://n8n.example/webhook%2f..%2fadmin",
        "https://n8n.example/webhook/%5c..%5cadmin",
        "https://n8n.example/webhook%00",
        "https://n8n.example/webhook%0d%0aX: y",
        "https://n8n.example/webhook\r\nX: y",
        "https://n8n.example/webhook\n",
        "https://n8n.example/web hook",
        " https://n8n.example/webhook",
        "https://n8n.example /webhook",
        "https://n8n.example\t/webhook",
        "https:/n8n.example/webhook",
        "https:n8n.example/webhook",
        "//n8n.example/webhook",
        "HTTPS://n8n.example/webhook",
        "ftp://n8n.example/webhook",
        "file:///webhook",
        "javascript://n8n.example/webhook",
        "https://n8n。example/webhook",
        "https://ｎ8n.example/webhook",
        "https://n8n.example./webhook",
        "https://n8n..example/webhook",
        "https://n8n.example:/webhook",
        "https://n8n.example:0/webhook",
        "https://n8n.example:99999/webhook",
        "https://n8n.example:４43/webhook",
        "https://n8n.example:-443/webhook",
        "https://[n8n.example]/webhook",
        "https://[::1/webhook",
        "https://n8n.example/webhook" + "x" * 5000,
        "",
        "https://",
    ],
)
def test_what_only_looks_like_it_is_not(url: str) -> None:
    assert not allowed(url, N8N)


def test_no_glob_allows_nothing() -> None:
    assert not allowed("https://n8n.example/webhook", ())


@pytest.mark.parametrize(
    ("url", "glob"),
    [
        ("http://0x7f000001/x", "http://127.0.0.1/*"),
        ("http://2130706433/x", "http://127.0.0.1/*"),
        ("http://127.1/x", "http://127.0.0.1/*"),
        ("http://evil.example/x", "http://*.good.example"),
        ("http://good.example/x", "http://*.good.example"),
        ("http://a.good.example.evil/x", "http://*.good.example"),
        ("http://xgood.example/x", "http://*.good.example"),
        ("http://n8n.example:8080/x", "http://n8n.example"),
        ("http://n8n.example/x", "http://n8n.example:*/y*"),
        ("http://n8nxexample/x", "http://n8n.example"),
        ("https://xn--a.n8n.example/webhook/1", "https://*.n8n.example/webhook/*"),
        ("http://127.0.0.999:9/", "http://*:*"),
        ("http://127.1:9/", "http://*:*"),
        ("http://[:::::]/", "http://[:::::]"),
        ("http://[0:0::1]/", "http://[0:0::1]"),
    ],
)
def test_parts_are_matched_each_for_itself(url: str, glob: str) -> None:
    assert not allowed(url, (glob,))


@pytest.mark.parametrize(
    ("glob", "why"),
    [
        ("*", "http:// or https://"),
        ("n8n.example/*", "http:// or https://"),
        ("*://n8n.example/*", "http:// or https://"),
        ("https://u@n8n.example/*", "no user"),
        ("https://n8n.example/*?x=*", "query"),
        ("https://n8n.example:99999/", "65535"),
        ("https://n8n.example/a/../b", "dot segments"),
        ("https:///x", "host"),
        ("https://n8n.example/a b", "expected"),
    ],
)
def test_a_glob_that_could_not_work_is_refused_with_the_reason(glob: str, why: str) -> None:
    with pytest.raises(GlobInvalid, match=why):
        UrlGlob.parse(glob)


def test_the_url_is_sent_as_it_was_written() -> None:
    target = CallbackTarget.parse("https://n8n.example/webhook/a%20b'c?sig=%2f|x&y='z'#part")
    assert target is not None
    assert target.request_target == "/webhook/a%20b'c?sig=%2f|x&y='z'"
    assert target.origin == "https://n8n.example:443"


PIECES = (
    *("https://", "http://", "n8n.example", "evil.example", "/webhook", "/", "\\", "@", ":", "443", "..", ".", "%2e"),
    *("%2f", "%5c", "?", "#", ";", "[", "]", "*", " ", "\n", "\t", "a", "%00", "//"),
)


@given(st.lists(st.sampled_from(PIECES), max_size=9).map("".join))
def test_whatever_is_allowed_goes_where_every_parser_says_and_nowhere_else(tail: str) -> None:
    url = f"https://n8n.example/webhook{tail}" if tail.startswith("/") else f"https://{tail}"
    if not allowed(url, N8N):
        return
    target = CallbackTarget.parse(url)
    assert target is not None
    for host, port, path in (
        (urlsplit(url).hostname, urlsplit(url).port, urlsplit(url).path),
        (httpx.URL(url).host, httpx.URL(url).port, httpx.URL(url).path),
    ):
        assert host == "n8n.example"
        assert port in (None, 443)
        assert path.startswith("/webhook")
    assert not urlsplit(url).username
    assert "/../" not in httpx.URL(url).path + "/"

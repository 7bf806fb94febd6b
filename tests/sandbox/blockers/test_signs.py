"""Each kind of sign reads one thing of a page, and nothing else."""

import msgspec
import pytest

from pageworker_sandbox.blockers.signs import AnySign, PageSight

SHOWN = PageSight(
    url="https://shop.example/Sorry/index?x=1",
    status=403,
    headers={"cf-mitigated": "challenge", "server": "Cloudflare"},
    cookies=frozenset({"incap_ses_88_17", "session"}),
    title="Just a Moment...",
    text="Verify you are human. Ray ID: 12",
    text_length=31,
    sources=("https://shop.example/app.js", "https://geo.captcha-delivery.com/captcha/?cid=1"),
    elements=frozenset({"#px-captcha"}),
)


@pytest.mark.parametrize(
    ("sign", "name", "found"),
    [
        ({"sign": "status", "any_of": [429, 403]}, "status", "403"),
        ({"sign": "status", "any_of": [429]}, "status", None),
        ({"sign": "header", "header": "CF-Mitigated"}, "header cf-mitigated", "challenge"),
        ({"sign": "header", "header": "server", "value": "cloudflare"}, "header server", "Cloudflare"),
        ({"sign": "header", "header": "server", "value": "cloud"}, "header server", None),
        ({"sign": "header", "header": "x-none"}, "header x-none", None),
        ({"sign": "cookie", "cookie": "INCAP_ses_*"}, "cookie", "incap_ses_88_17"),
        ({"sign": "cookie", "cookie": "incap"}, "cookie", None),
        ({"sign": "url", "url": "*/sorry/*"}, "url", "*/sorry/*"),
        ({"sign": "url", "url": "*/sorry"}, "url", None),
        ({"sign": "title", "any_of": ["no", "just a moment"]}, "title", "just a moment"),
        ({"sign": "title", "any_of": ["verify you"]}, "title", None),
        ({"sign": "text", "any_of": ["VERIFY YOU"]}, "text", "VERIFY YOU"),
        ({"sign": "text", "any_of": ["just a moment"]}, "text", None),
        (
            {"sign": "source", "source": "*captcha-delivery.com/*"},
            "source",
            "https://geo.captcha-delivery.com/captcha/?cid=1",
        ),
        ({"sign": "source", "source": "*/other.js"}, "source", None),
        ({"sign": "element", "selector": "#px-captcha"}, "element", "#px-captcha"),
        ({"sign": "element", "selector": "#other"}, "element", None),
        ({"sign": "length", "below": 32}, "length", "31 characters"),
        ({"sign": "length", "below": 31}, "length", None),
    ],
)
def test_what_a_sign_finds(sign: dict[str, object], name: str, found: str | None) -> None:
    read = msgspec.convert({"weight": 0.5, **sign}, AnySign)
    assert (read.name, read.found(SHOWN)) == (name, found)

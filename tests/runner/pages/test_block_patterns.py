"""Which requests are blocked, and as what."""

import fnmatch
import re
from urllib.parse import urlsplit

import pytest

from pageworker_runner.pages.block_patterns import BlockPatterns
from pageworker_sandbox.page_rules import parse_options

BLOCKED = BlockPatterns(
    parse_options({"block": ["image", "font"], "block_hosts": ["ads.example", "*.ads.example", "::1"]})
)
URLS = (
    "http://ads.example/a.js",
    "https://ads.example:8443/a.js?b#c",
    "https://anna:secret@b.ads.example/",
    "https://b.ads.example./",
    "http://[::1]:8080/",
)
OTHERS = (
    "https://shop.example/?from=https://b.ads.example/",
    "https://shop.example/b.ads.example/",
    "https://ads.example@shop.example/",
    "https://ads.example.org/",
    "https://loads.example/",
    "data:image/gif;base64,AAAA",
    "blob:http://ads.example/1",
)


@pytest.mark.parametrize("url", URLS)
def test_a_request_to_a_blocked_host_is_counted_as_that_whatever_its_type(url: str) -> None:
    assert [BLOCKED.kind(type_, url) for type_ in ("Script", "Image", "Document")] == ["host"] * 3


@pytest.mark.parametrize("url", URLS)
def test_the_browser_is_told_a_pattern_that_matches(url: str) -> None:
    patterns = [each["urlPattern"] for each in BLOCKED.patterns if "urlPattern" in each]
    assert any(re.match(fnmatch.translate(each), url) for each in patterns)
    assert urlsplit(url).scheme in ("http", "https")


@pytest.mark.parametrize("url", OTHERS)
def test_other_hosts_are_not_blocked(url: str) -> None:
    assert BLOCKED.kind("Script", url) is None
    assert BLOCKED.kind("Media", url) is None
    assert BLOCKED.kind("Image", url) == "image"
    assert BLOCKED.kind("Font", url) == "font"


def test_without_options_nothing_is_blocked() -> None:
    nothing = BlockPatterns(parse_options({}))
    assert nothing.patterns == []
    assert nothing.kind("Image", URLS[0]) is None


def test_only_types_that_are_blocked_are_asked_for() -> None:
    assert BlockPatterns(parse_options({"block": ["media"]})).patterns == [{"resourceType": "Media"}]


def test_a_glob_of_many_stars_takes_no_time() -> None:
    slow = BlockPatterns(parse_options({"block_hosts": ["*a" * 60 + ".test"]}))
    assert slow.kind("Script", f"http://{'a' * 240}.example/") is None

"""Which URLs have storage of their own."""

import pytest

from pageworker_runner.pages.slot import origin_of


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://shop.example/products?x#y", "https://shop.example"),
        ("http://shop.example:8080/", "http://shop.example:8080"),
        ("https://shop.example?x", "https://shop.example"),
        ("about:blank", None),
        ("data:text/html,http://shop.example/", None),
        ("blob:https://shop.example/1", None),
        ("", None),
    ],
)
def test_only_web_pages_have_an_origin(url: str, origin: str | None) -> None:
    assert origin_of(url) == origin

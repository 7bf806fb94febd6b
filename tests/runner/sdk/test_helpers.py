"""The helpers, without a browser. `attempts/test_executor.py` has them on a real page."""

from typing import Any

import pytest

from pageworker import Blocked, Helpers
from pageworker.helpers import split_field


class AnsweringPage:
    """A page that answers every evaluation with the same fields."""

    def __init__(self, found: dict[str, str | None] | None = None) -> None:
        self.found = found or {}
        self.asked: Any = None

    async def evaluate(self, script: str, argument: Any) -> dict[str, str | None]:
        self.asked = argument
        return self.found

    async def content(self) -> str:
        return "<h1>\ud83d</h1>"


def helpers(sink: Any, page: AnsweringPage | None = None) -> Helpers:
    fake: Any = page or AnsweringPage()
    return Helpers(fake, sink)


@pytest.mark.parametrize(
    ("spec", "selector", "attribute"),
    [
        ("h1", "h1", ""),
        ("a.more@href", "a.more", "href"),
        ("@lang", "", "lang"),
        ("use@xlink:href", "use", "xlink:href"),
        ("div@data-sku_id", "div", "data-sku_id"),
        ("a[href='mailto:x@y.example']", "a[href='mailto:x@y.example']", ""),
        ("a[title='@']@href", "a[title='@']", "href"),
        ("a@", "a@", ""),
    ],
)
def test_a_field_is_a_selector_and_perhaps_an_attribute(spec: str, selector: str, attribute: str) -> None:
    assert split_field(spec) == (selector, attribute)


async def test_text_is_stored_as_utf_8_and_half_a_surrogate_pair_costs_one_character(sink: Any) -> None:
    await helpers(sink).artifact("invoice", "ü", "text/plain")
    await helpers(sink).html()
    assert sink.artifacts == [
        ("invoice", "ü".encode(), "text/plain"),
        ("html", b"<h1>?</h1>", "text/html; charset=utf-8"),
    ]


async def test_missing_fields_are_named_together_with_their_selectors(sink: Any) -> None:
    page = AnsweringPage({"title": "Chair", "price": None, "sku": None})
    with pytest.raises(Exception, match="Required fields are not on the page: price, sku") as caught:
        await helpers(sink, page).extract(
            {"title": "h1", "price": ".price", "sku": "article@data-sku"}, required=["title", "price", "sku"]
        )
    error: Any = caught.value
    assert (error.type, error.retryable) == ("field_missing", True)
    assert error.detail == {"missing": ["price", "sku"], "selectors": {"price": ".price", "sku": "article@data-sku"}}
    assert page.asked == {"title": ["h1", ""], "price": [".price", ""], "sku": ["article", "data-sku"]}


async def test_calls_that_ask_for_nothing_are_refused_by_name(sink: Any) -> None:
    with pytest.raises(ValueError, match=r"helpers\.extract: `required` names fields .*: titel"):
        await helpers(sink).extract({"title": "h1"}, required=["titel"])
    with pytest.raises(ValueError, match=r"helpers\.which needs"):
        await helpers(sink).which({})
    with pytest.raises(ValueError, match=r"helpers\.wait_until needs"):
        await helpers(sink).wait_until()


def test_blocked_ends_the_attempt(sink: Any) -> None:
    with pytest.raises(Blocked) as caught:
        helpers(sink).blocked("captcha", "shopguard", selector=".captcha")
    assert (caught.value.kind, caught.value.provider) == ("captcha", "shopguard")
    assert caught.value.evidence == {"selector": ".captcha"}

"""Only elements of the list, only attributes of the list, and texts that stay texts."""

from typing import Any

import pytest
from api.status_page.corpus import HOSTILE

from pageworker_supervisor.api.status_page.markup import Preformatted, address, element, rendered


def test_an_element_with_its_attributes_and_children() -> None:
    link = element("a", "next ", element("strong", 1234), class_="x", href=address("/jobs", cursor="0:1-1", state=""))
    assert rendered(link) == '<a class="x" href="/jobs?cursor=0%3A1-1">next <strong>1,234</strong></a>'
    assert rendered(element("p", None, ["a", "b"], id=None)) == "<p>ab</p>"
    assert rendered(element("img", src=address("/image"), alt="")) == '<img src="/image" alt="">'
    assert str(address("/jobs", state="x", cursor="y").having(cursor="", after="z")) == "/jobs?state=x&after=z"


def test_a_text_ends_no_element_and_no_attribute() -> None:
    for text in HOSTILE:
        value = rendered(element("p", text)).removeprefix("<p>").removesuffix("</p>")
        assert not set(value) & set("<>\"'\0\x1b\r\n\u202e"), text
        in_attribute = rendered(element("input", value=text))
        assert (in_attribute.count('"'), in_attribute.count("<")) == (2, 1), text
        link = rendered(element("a", href=address("/x", name=text)))
        assert not set(link[9:-6]) & set("<>\"' "), text


def test_line_feeds_stay_where_they_are_wanted() -> None:
    assert rendered(element("pre", Preformatted("<a>\n\x1b"))) == "<pre>&lt;a&gt;\n\\x1b</pre>"


@pytest.mark.parametrize(
    ("tag", "attributes"),
    [
        ("script", {}),
        ("style", {}),
        ("iframe", {}),
        ("p onclick=x", {}),
        ("a", {"onclick": "x"}),
        ("a", {"style": "x"}),
        ("a", {"href": "javascript:x"}),
        ("img", {"src": "//evil.test"}),
        ("meta", {"http_equiv": "refresh"}),
        ("p", {"id": address("/")}),
    ],
)
def test_what_is_not_in_the_lists_is_a_bug(tag: str, attributes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="of this page"):
        element(tag, **attributes)

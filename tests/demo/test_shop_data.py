"""The shop's pages: foreign text stays text, and the structured data is what the page shows."""

import json
import re
from html.parser import HTMLParser

import pytest

from pageworker_demo import shop_data
from pageworker_demo.shop_data import PRODUCTS, Product

HOSTILE = "</script><script>alert(1)</script><b>\"'&"
LINKED_DATA = re.compile(r'<script type="application/ld\+json">(.*?)</script>')


class TagCounter(HTMLParser):
    """Counts the elements of a document."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)


def test_a_hostile_product_adds_no_element() -> None:
    harmless = TagCounter(shop_data.product_page(Product("X-1", "x", "1.00", "InStock", "x")))
    hostile = shop_data.product_page(Product("X-1", HOSTILE, "1.00", "InStock", HOSTILE))
    assert TagCounter(hostile).tags == harmless.tags
    found = LINKED_DATA.search(hostile)
    assert found
    assert json.loads(found[1])["name"] == HOSTILE


@pytest.mark.parametrize("page", [shop_data.login_page(HOSTILE), shop_data.account_page(HOSTILE, 1)])
def test_foreign_text_on_a_page_is_escaped(page: str) -> None:
    assert "script" not in TagCounter(page).tags
    assert "&lt;script&gt;" in page


def test_the_front_page_links_every_product() -> None:
    front = shop_data.front()
    assert all(f'href="/products/{sku}"' in front for sku in PRODUCTS)


def test_only_a_product_that_is_sold_out_is_marked() -> None:
    marked = {sku for sku, product in PRODUCTS.items() if 'class="out"' in shop_data.product_page(product)}
    assert marked == {sku for sku, product in PRODUCTS.items() if product.availability == "OutOfStock"}


def test_the_login_form_shows_a_message_only_where_there_is_one() -> None:
    assert 'role="alert"' not in shop_data.login_page()
    assert '<p role="alert">no</p>' in shop_data.login_page("no")

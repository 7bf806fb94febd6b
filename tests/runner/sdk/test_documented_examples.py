"""Each helper has an example in docs/sdk.md, and each example works: all of them run in one real page."""

import ast
import re
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, Route, async_playwright
from pw_runner.supervisor import HEADLESS_SHELL

import pageworker
from pageworker import Each, Failed, Helpers, Pages, PageTimeout

DOCUMENT = Path(__file__).parents[3] / "docs" / "sdk.md"
ALL = [textwrap.dedent(block) for block in re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)]
EXAMPLES = [block for block in ALL if "helpers." in block]
HELPERS = {name for name in vars(Helpers) if not name.startswith("_")} | {"log"}
SHOP = """
<title>Shop</title><h1>Chair</h1><b class=price>9</b><img class=main src=/chair.png>
<form action=/account method=post>
  <input id=claim type=file><input name=user><input name=password type=password><input name=code><button>Log in</button>
</form>
<button data-qa=details onclick="details.hidden = false">More</button><p id=details hidden>Oak</p><p id=number>17</p>
<button>Buy</button><button>Pay</button><button>Order</button><a href=/invoice download=invoice.pdf>Invoice</a>
<script>window.ready = true</script>
"""
OFFER = "<div class=offer><h2>{0}</h2><b>{0} €</b><i class=tag>new</i><i class=tag>red</i></div>"
ONE, TWO = (f"<h1>Offers</h1><a class=item href=/{n}>x</a>{OFFER.format(n)}" for n in (1, 2))
SITE = {
    "/list": f"{ONE}<a class=next href=/list/2>Next</a>",
    "/list/2": f"{TWO}<a class=next href=/list/2>Next</a>",
    "/numbered": f"{ONE}",
    "/numbered?page=2": f"{TWO}",
    "/more": f'<main>{ONE}</main><button class=more onclick="grow(); this.hidden = true">More</button>',
    "/endless": f"<main>{ONE}</main><p style='height: 3000px'></p><script>onscroll = () => times++ || grow()</script>",
    "/still": f"{ONE}<button class=next>Next</button>",
    "/account": "<p id=member>ada</p>",
    "/api/offers": "[]",
}
GROW = f"<script>times = 0; function grow() {{ document.querySelector('main').innerHTML += `{TWO}` }}</script>"


async def answer(route: Route) -> None:
    path = route.request.url.partition("shop.example")[2]
    headers = {"Content-Type": "text/html; charset=utf-8"}
    if path in ("/more", "/endless", "/still"):
        headers["Content-Security-Policy"] = "script-src 'unsafe-inline'"  # without eval
    if path == "/invoice":
        headers = {"Content-Type": "application/pdf", "Content-Disposition": "attachment"}
    body = SITE.get(path, "<h1>none</h1>" if "page=" in path else SHOP)
    await route.fulfill(body=body + (GROW if path in ("/more", "/endless") else ""), headers=headers)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop() -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=HEADLESS_SHELL)
        page = await browser.new_page()
        playwright.selectors.set_test_id_attribute("data-qa")
        await page.route("**/*", answer)
        yield page
        await browser.close()


pytestmark = pytest.mark.browser
ON_PAGE = pytest.mark.asyncio(loop_scope="module")


def called(example: str) -> set[str]:
    """The helpers that an example calls."""
    tree = ast.parse(f"async def example():\n{textwrap.indent(example, '    ')}")
    attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    return {each.attr for each in attributes if isinstance(each.value, ast.Name) and each.value.id == "helpers"}


def test_each_helper_has_an_example() -> None:
    assert HELPERS - set().union(*map(called, EXAMPLES)) == set()


@ON_PAGE
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: next(iter(sorted(called(text))), "handler"))
async def test_each_example_works(example: str, shop: Page, sink: Any) -> None:
    await shop.goto("https://shop.example/product")
    sink.secrets = {"shop_login": "correct-horse", "api_key": "k"}
    names: dict[str, Any] = {name: getattr(pageworker, name) for name in pageworker.__all__}
    if "async def handler" not in example:
        example = f"async def handler(page, payload, helpers, context):\n{textwrap.indent(example, '    ')}"
    exec(compile(example, str(DOCUMENT), "exec"), names)
    payload = {"url": "https://shop.example/product"}
    data = await names["handler"](shop, payload, Helpers(shop, sink), None)
    assert data is None or "none" not in data


async def paginated(shop: Page, sink: Any, path: str, **ways: Any) -> tuple[list[str], int, str]:
    await shop.goto(f"https://shop.example/{path}")
    found: Pages = await Helpers(shop, sink).paginate(Each(".offer", {"title": "h2"}), wait_seconds=0.3, **ways)
    return [item["title"] for item in found.items], found.count, found.ended


@ON_PAGE
async def test_lists_are_read_over_their_pages_and_say_why_they_ended(shop: Page, sink: Any) -> None:
    both = ["1", "2"]
    assert await paginated(shop, sink, "list", next="a.next") == (both, 2, "repeated")
    assert await paginated(shop, sink, "list", next="a.gone") == (["1"], 1, "last_page")
    assert await paginated(shop, sink, "list", next="a.next", max_pages=1) == (["1"], 1, "max_pages")
    assert await paginated(shop, sink, "list", next="a.next", max_items=1) == (["1"], 1, "max_items")
    assert await paginated(shop, sink, "still", next=".next") == (["1"], 1, "repeated")
    assert await paginated(shop, sink, "numbered", parameter="page") == (both, 2, "last_page")
    assert await paginated(shop, sink, "more", load_more=".more") == (both, 2, "last_page")
    assert await paginated(shop, sink, "endless", scroll=True) == (both, 2, "nothing_new")
    assert await paginated(shop, sink, "account", next="a.next") == ([], 0, "last_page")


@ON_PAGE
async def test_lists_and_xpath_are_read_in_one_call(shop: Page, sink: Any) -> None:
    await shop.goto("https://shop.example/list")
    helpers = Helpers(shop, sink)
    offer: dict[str, str | Each] = {"title": "h2", "price": "xpath=.//b/text()", "tags": Each(".tag"), "none": "u"}
    fields: dict[str, str | Each] = {
        "offers": Each(".offer", offer),
        "count": "xpath=count(//h2)",
        "link": "xpath=//a/@href",
        "no": "u@id",
    }
    assert await helpers.extract(fields) == {
        "offers": [{"title": "1", "price": "1 €", "tags": ["new", "red"], "none": None}],
        "count": "1",
        "link": "/1",
        "no": None,
    }
    with pytest.raises(Failed, match=r"offers\[0\]\.none") as caught:
        await helpers.extract({"offers": Each(".offer", offer, required=["none"])})
    assert caught.value.type == "field_missing"


@ON_PAGE
async def test_a_wait_says_what_did_not_come(shop: Page, sink: Any) -> None:
    await shop.goto("https://shop.example/list?token=secret")
    helpers = Helpers(shop, sink)
    with pytest.raises(PageTimeout) as caught:
        await helpers.wait_for("the order number", "#order-number", timeout_seconds=0.05)
    text = str(caught.value)
    assert text.startswith("the order number did not come within 0.")
    assert text.endswith("`#order-number` is not visible. The page is https://shop.example/list")
    for condition, said in ({"url": "**/x"}, "the URL does not match **/x"), ({"script": "0"}, "not true: 0"):
        with pytest.raises(PageTimeout, match=re.escape(said)):
            await helpers.wait_until(**condition, timeout_seconds=0.05)
    await helpers.wait_for("the end of it", ".gone", state="detached")

"""The demo's shop, over a real loopback port."""

import json
import re
from collections.abc import AsyncIterator

import httpx
import pytest

from pageworker_demo.loopback_server import served
from pageworker_demo.shop import Shop
from pageworker_demo.shop_data import PRODUCTS

LINKED_DATA = re.compile(r'<script type="application/ld\+json">(.*?)</script>')


@pytest.fixture
async def shop() -> Shop:
    return Shop()


@pytest.fixture
async def client(shop: Shop) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        served(shop.app) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", follow_redirects=True) as client,
    ):
        yield client


@pytest.mark.parametrize("sku", PRODUCTS)
async def test_a_product_page_has_the_same_data_in_json_ld_and_in_html(client: httpx.AsyncClient, sku: str) -> None:
    html = (await client.get(f"/products/{sku}")).text
    found = LINKED_DATA.search(html)
    assert found
    data = json.loads(found[1])
    assert (data["sku"], data["offers"]["price"]) == (sku, PRODUCTS[sku].price)
    assert f'data-sku="{sku}"' in html
    assert PRODUCTS[sku].price in html.split("</head>")[1]
    assert (await client.get(f"/products/{sku}.svg")).headers["content-type"] == "image/svg+xml"


async def test_the_account_needs_a_login_that_lasts(client: httpx.AsyncClient, shop: Shop) -> None:
    assert (await client.get("/account")).url.path == "/login"
    wrong = await client.post("/login", data={"user": "ada", "password": "guess"})
    assert wrong.status_code == 403
    inside = await client.post("/login", data={"user": "ada", "password": "correct-horse"})
    assert '<b id="member">ada</b>' in inside.text
    assert (await client.get("/account")).url.path == "/account"
    assert shop.logins == {"ada": 1}
    (cookie,) = client.cookies.jar
    assert cookie.expires  # a session cookie would not outlive the browser


async def test_pages_for_trouble_have_what_the_modules_look_for(client: httpx.AsyncClient) -> None:
    guarded = (await client.get("/guarded")).text
    assert "shopguard-captcha" in guarded
    assert 'title="shopguard captcha challenge"' in guarded
    assert (await client.get("/broken")).status_code == 503
    assert (await client.get("/slow", params={"seconds": "0"})).status_code == 200
    assert (await client.get("/products/NONE")).status_code == 404

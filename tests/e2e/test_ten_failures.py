"""Ten jobs that fail in ten ways, through a whole worker: a new user finds each cause in the result alone."""

import json
import socket
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest
import pytest_asyncio
from pw_daemon import HEADLESS_SHELL, Producer, place, write_module
from pw_runner.site import Site, SiteAnswer

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.browser,
    pytest.mark.sandbox,
    pytest.mark.redis,
    pytest.mark.timeout(180),
]

PAGES: dict[str, SiteAnswer] = {
    "/chair": SiteAnswer("<h1>Chair</h1><p class=price>12</p>"),
    "/sold": SiteAnswer("<h1>Sold out</h1>"),
    "/gone": SiteAnswer("<h1>Page not found</h1>", "404 Not Found"),
    "/script": SiteAnswer("<h1>Cart</h1><script>shop.open()</script>"),
    "/prices": SiteAnswer("<h1>Prices</h1><script>fetch('/api/prices')</script>"),
    "/api/prices": SiteAnswer("no", "500 Internal Server Error"),
    "/slow": SiteAnswer(held=True),
}
TELLS: dict[str, tuple[str, dict[str, list[Any]]]] = {
    "no_element": (
        "await page.goto('http://shop.test/sold')\nawait page.locator('.price').inner_text(timeout=300)",
        {"error": ["timeout", "Locator.inner_text", ".price", "__init__.py:6"], "html": ["Sold out"]},
    ),
    "not_found": (
        "await page.goto('http://shop.test/gone')\nassert await page.title() == 'Chair', 'not the product'",
        {"error": ["handler_error", "not the product", "__init__.py:6"], "html": ["Page not found"], "status": [404]},
    ),
    "own_error": (
        "raise Failed('no price in the catalogue', type='no_price', detail={'sku': 17})",
        {"error": ["no_price", "no price in the catalogue", "17"]},
    ),
    "key_error": (
        "return {'name': payload['title']}",
        {"error": ["handler_error", "KeyError", "title", "__init__.py:5"]},
    ),
    "refused_host": (
        "await page.goto('http://other.test/')",
        {"error": ["egress_refused", "host_not_allowed", "other.test"], "network": ["http://other.test/"]},
    ),
    "host_down": (
        "await page.goto('http://down.test/')",
        {"error": ["navigation_error", "ERR_CONNECTION_REFUSED", "down.test"], "network": ["http://down.test/"]},
    ),
    "too_slow": (
        "await page.goto('http://shop.test/slow')",
        {"error": ["timeout", "Page.goto", "__init__.py:5"]},
    ),
    "broken_script": (
        "await page.goto('http://shop.test/script')\nawait page.locator('#cart').click(timeout=300)",
        {"error": ["timeout", "#cart"], "console": ["shop is not defined"], "html": ["Cart"]},
    ),
    "broken_api": (
        "await page.goto('http://shop.test/prices', wait_until='networkidle')\nraise Failed('no prices')",
        {"error": ["no prices"], "network": ["/api/prices", "500"], "console": ["500"]},
    ),
    "bad_result": (
        "return {'price': float('nan')}",
        {"error": ["result_invalid", "data.price"]},
    ),
}
"""By module: its handler's body, and words that name the cause by where they are found."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def producer(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Producer]:
    folder = tmp_path_factory.mktemp("modules")
    hosts = ["shop.test", "down.test"]
    modules = [write_module(folder, f"test.{name}", body, egress=hosts) for name, (body, _) in TELLS.items()]
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"127.0.0.1:{listener.getsockname()[1]}"
    site = await Site(dict(PAGES)).serve(listener)
    try:
        async with place(*modules) as home:
            allowed = {"shop.test": address, "other.test": address, "down.test": "127.0.0.1:1"}
            pool = {"runners": 1, "pages": 4}
            with home.worker(browser=HEADLESS_SHELL, egress={"hosts": allowed}, pool=pool):
                async with aclosing(Producer(home.redis.url)) as producer:
                    jobs = [producer.job(name, f"test.{name}", {}, max_retries=0, timeout_seconds=4) for name in TELLS]
                    await producer.push(*jobs)
                    await producer.collect(len(TELLS), 120)
                    yield producer
    finally:
        await site.close()


@pytest.mark.parametrize("name", TELLS)
async def test_the_result_alone_names_the_cause(producer: Producer, name: str) -> None:
    result = producer.results[name]
    assert result["status"] in ("failed", "timed_out")
    texts = {artifact["kind"]: stored(artifact) for artifact in result["artifacts"]}
    texts["error"] = json.dumps(result["error"])
    texts["status"] = " ".join(str(artifact["page_status"]) for artifact in result["artifacts"])
    missing = [
        (where, word)
        for where, words in TELLS[name][1].items()
        for word in words
        if str(word) not in texts.get(where, "")
    ]
    assert missing == [], (result["error"], sorted(texts))
    assert result["artifacts_lost"] == []


def stored(artifact: dict[str, Any]) -> str:
    """An artifact as text; a picture as far as that goes."""
    return Path(url2pathname(urlsplit(artifact["url"]).path)).read_bytes().decode(errors="replace")

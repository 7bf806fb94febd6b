"""A host that is down, unknown or refused, through a whole worker: no job succeeds on it, over http as over https."""

import socket
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest
import pytest_asyncio
from pw_daemon import Producer, place, write_module
from pw_runner.site import Site, SiteAnswer

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.browser,
    pytest.mark.sandbox,
    pytest.mark.redis,
    pytest.mark.timeout(180),
]

OFFERS = """
if payload.get("by") == "request":
    text = await (await page.request.get(payload["url"])).text()
    return {"offers": text.count("class=offer")}
if payload.get("by") == "listing":
    offers = 0
    urls = payload["urls"]
    while urls:
        try:
            await page.goto(urls[0])
        except Exception as error:
            # The error page of the navigation before.
            if "interrupted by another navigation" not in str(error):
                urls.pop(0)
            continue
        urls.pop(0)
        offers += await page.locator(".offer").count()
    return {"offers": offers}
response = await page.goto(payload["url"])
return {"offers": await page.locator(".offer").count(), "status": response.status}
"""
SHOP = "<p class=offer>1</p><p class=offer>2</p><img src=http://tracker.test/1.gif>"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def producer(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Producer]:
    folder = tmp_path_factory.mktemp("modules")
    module = write_module(folder, "test.offers", OFFERS, egress=["shop.test", "down.test", "unknown.invalid"])
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"127.0.0.1:{listener.getsockname()[1]}"
    pages = {
        "/": SiteAnswer(SHOP),
        "/away": SiteAnswer("", "302 Found", headers=("Location: http://refused.test/",)),
        "/down": SiteAnswer("<h1>Bad gateway</h1>", "502 Bad Gateway"),
    }
    site = await Site(dict(pages)).serve(listener)
    hosts = {"shop.test": address, "refused.test": address, "down.test": "127.0.0.1:1"}
    try:
        async with place(module) as home:
            with home.worker(egress={"hosts": hosts, "connect_seconds": 5.0}, jobs={"retry_base_seconds": 0.1}):
                async with aclosing(Producer(home.redis.url)) as producer:
                    yield producer
    finally:
        await site.close()


async def run(producer: Producer, name: str, payload: dict[str, Any]) -> dict[str, Any]:
    await producer.push(producer.job(name, "test.offers", payload, max_retries=2))
    await producer.collect(len(producer.results) + 1, 90)
    return producer.results[name]


@pytest.mark.parametrize("by", ["page", "request"])
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("host", "code"), [("down.test", "ERR_CONNECTION_REFUSED"), ("unknown.invalid", "ERR_NAME_NOT_RESOLVED")]
)
async def test_a_host_that_cannot_be_reached_fails_the_job_after_its_retries(
    producer: Producer, host: str, code: str, scheme: str, by: str
) -> None:
    result = await run(producer, f"{host}-{scheme}-{by}", {"url": f"{scheme}://{host}/", "by": by})
    assert (result["status"], result["data"], len(result["attempts"])) == ("failed", None, 3)
    assert (result["error"]["type"], result["error"]["detail"]["code"]) == ("navigation_error", code)
    assert by == "request" or [kept["kind"] for kept in result["artifacts"]] == ["network"]


@pytest.mark.parametrize("by", ["page", "request"])
@pytest.mark.parametrize(
    ("name", "url", "reason", "host"),
    [
        ("http", "http://refused.test/", "host_not_allowed", "refused.test:80"),
        ("https", "https://refused.test/", "host_not_allowed", "refused.test:443"),
        ("port", "http://shop.test:8080/", "port_not_allowed", "shop.test:8080"),
        ("redirect", "http://shop.test/away", "host_not_allowed", "refused.test:80"),
    ],
)
async def test_a_refusal_ends_the_job_at_once_with_its_reason(
    producer: Producer, name: str, url: str, reason: str, host: str, by: str
) -> None:
    result = await run(producer, f"refused-{name}-{by}", {"url": url, "by": by})
    assert (result["status"], result["data"], len(result["attempts"])) == ("failed", None, 1)
    error = result["error"]
    assert (error["type"], error["retryable"], error["detail"]["egress"]) == ("egress_refused", False, reason)
    assert error["detail"]["host"] == host
    assert by == "request" or [kept["kind"] for kept in result["artifacts"]] == ["network"]


async def test_what_the_host_itself_answers_is_a_page(producer: Producer) -> None:
    """Its tracker is refused, which is the page's matter. An error page is the host's own answer, not a failure."""
    result = await run(producer, "offers", {"url": "http://shop.test/"})
    assert (result["status"], result["data"]) == ("succeeded", {"offers": 2, "status": 200})
    result = await run(producer, "bad-gateway", {"url": "http://shop.test/down"})
    assert (result["status"], result["data"]) == ("succeeded", {"offers": 0, "status": 502})
    result = await run(producer, "not-found", {"url": "http://shop.test/gone"})
    assert (result["status"], result["data"]) == ("succeeded", {"offers": 0, "status": 404})


async def test_a_module_that_goes_on_without_a_host_is_not_failed_by_it(producer: Producer) -> None:
    urls = ["http://refused.test/", "http://down.test/", "https://refused.test/", "https://down.test/"]
    result = await run(producer, "listing", {"by": "listing", "urls": [*urls, "http://shop.test/"]})
    assert (result["status"], result["data"], len(result["attempts"])) == ("succeeded", {"offers": 2}, 1)

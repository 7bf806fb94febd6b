"""`server_addr()` of a page's responses and of `page.request`."""

import os
from collections.abc import Awaitable, Callable

import pytest
from pw_runner.bundles import handler
from pw_runner.site import SiteAnswer
from pw_runner.supervisor import Supervisor

from pageworker_sandbox.wire.origin_address import OriginAddress

ASKS = handler(
    """
    await page.route("**/fulfilled", lambda route: route.fulfill(body="x"))
    asked = {}
    for url in payload["urls"]:
        asked[url] = await (await page.goto(url)).server_addr()
    return asked
    """
)


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="module")
async def test_a_response_has_the_address_of_its_server(start: Callable[..., Awaitable[Supervisor]]) -> None:
    runner = await start(pages=1)
    runner.site.pages["/p"] = SiteAnswer("<title>shop</title>")
    # As the gateway writes them. It does not say where `fixed.example` is.
    for authority, address in (("shop.example:80", "93.184.216.34"), ("v6.example:8080", "2606:4700::1111")):
        os.write(runner.failures[1], f"{OriginAddress(authority, address).line}\n".encode())
    urls = {
        "http://shop.example/p": {"ipAddress": "93.184.216.34", "port": 80},
        "http://v6.example:8080/p": {"ipAddress": "[2606:4700::1111]", "port": 8080},
        "http://fixed.example:8081/p": {"ipAddress": "127.0.0.1", "port": 8081},
        "http://shop.example/fulfilled": None,
    }
    assert (await runner.run(ASKS, {"urls": list(urls)})).data == urls


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="module")
async def test_a_response_to_a_request_of_the_context_has_it_too(
    start: Callable[..., Awaitable[Supervisor]],
) -> None:
    runner = await start(pages=1)
    runner.site.pages["/p"] = SiteAnswer("<title>shop</title>")
    os.write(runner.failures[1], f"{OriginAddress('shop.example:80', '93.184.216.34').line}\n".encode())
    asks = handler("return {'found': await (await page.request.get('http://shop.example/p')).server_addr()}")
    assert (await runner.run(asks)).data == {"found": {"ipAddress": "93.184.216.34", "port": 80}}

"""A handler sees the headers of its request that the server gets."""

from collections.abc import Awaitable, Callable

import pytest
from pw_runner.bundles import handler
from pw_runner.site import SiteAnswer
from pw_runner.supervisor import Supervisor

READS = handler(
    """
    response = await page.goto("http://shop.example/p")
    request = response.request
    return {"all": await request.all_headers(), "list": [each["name"] for each in await request.headers_array()],
            "own": await request.header_value("Proxy-Connection")}
    """
)


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="module")
async def test_headers_for_the_gateway_are_left_out(start: Callable[..., Awaitable[Supervisor]]) -> None:
    runner = await start(pages=1)
    runner.site.pages["/p"] = SiteAnswer("<title>shop</title>")
    seen = (await runner.run(READS)).data
    (sent,) = runner.site.requested("/p")
    # The gateway, which is the site here, gets it.
    assert sent.headers.pop("proxy-connection") == "keep-alive"
    assert seen is not None
    assert seen["all"] == sent.headers
    assert sorted(name.lower() for name in seen["list"]) == sorted(sent.headers)
    assert seen["own"] is None

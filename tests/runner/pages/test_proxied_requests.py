"""A real browser behind the real gateway and a real upstream proxy: carried while it works, failed by name if not."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import pytest_asyncio
from pw_runner.bundles import handler
from pw_runner.networked import Networked, networked, page
from pw_servers.forward_proxy import ForwardProxy, forward_proxy

from pageworker_sandbox.egress.messages import EgressPolicy, Upstream

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

LOGIN = ("bob", "s3cret")


@dataclass
class Proxied:
    """A runner whose way out is one proxy."""

    runner: Networked
    proxy: ForwardProxy


@asynccontextmanager
async def started() -> AsyncIterator[Proxied]:
    async with forward_proxy("http", login=LOGIN) as proxy:
        upstreams = (Upstream(url=proxy.url, username=LOGIN[0], password=LOGIN[1], resolves=True),)
        policy = EgressPolicy(hosts=(("*.test",),), upstreams=upstreams, connect_seconds=3)
        async with networked({"/": page("<h1>shop</h1>")}, policy) as (runner, origin):
            proxy.way = lambda host, port: ("127.0.0.1", origin.port)
            yield Proxied(runner, proxy)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def without_proxy() -> AsyncIterator[Networked]:
    """A runner whose proxy is dead."""
    async with started() as proxied:
        proxied.proxy.die()
        yield proxied.runner


async def test_a_working_proxy_carries_the_browsers_requests() -> None:
    async with started() as proxied:
        report = await proxied.runner.run(
            handler("return {'text': await (await page.goto('http://far.test/')).text()}")
        )
        assert report.data == {"text": "<h1>shop</h1>"}
        assert proxied.proxy.asked == ["far.test:80"]


@pytest.mark.parametrize("call", ["page.goto", "page.request.get"])
@pytest.mark.parametrize("url", ["http://far.test/", "https://far.test/"])
async def test_without_a_working_proxy_an_attempt_ends_by_name_and_is_retried(
    without_proxy: Networked, url: str, call: str
) -> None:
    body = f"await {call}({url!r})\nreturn {{}}"
    report = await without_proxy.run(handler(body, name="visits", version=f"1.0.{abs(hash(body)) % 10**9}"))
    authority = "far.test:443" if url.startswith("https") else "far.test:80"
    assert (report.failure.type, report.failure.retryable) == ("proxy_unavailable", True)
    assert report.failure.message.startswith(f"No upstream proxy of the proxy policy worked for {authority}")
    assert (report.detail["egress"], report.detail["host"]) == ("proxy_unavailable", authority)
    assert "s3cret" not in repr(report)

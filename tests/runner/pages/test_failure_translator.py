"""Failed requests in a real browser behind the real gateway: the errors of plain Playwright, and what a job makes of
them."""

import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pw_egress.origin import Origin
from pw_runner.bundles import Packed, handler
from pw_runner.networked import Networked, networked, page, redirect
from pw_runner.supervisor import CHROMIUM, HEADLESS_SHELL, AttemptReport

from pageworker_sandbox.egress.messages import EgressPolicy

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

PAGES = {
    "/": page("<h1>shop</h1><a href='http://refused.example/'>elsewhere</a>"),
    "/images": page("<h1>shop</h1><img src='http://refused.example/1.gif'><img src='http://down.test/2.gif'>"),
    "/to-refused": redirect("http://refused.example/offers"),
    "/to-refused-tls": redirect("https://refused.example/offers"),
    "/to-down": redirect("http://down.test/offers"),
    "/to-shop": redirect("http://shop.test/"),
    "/no-answer": b"",
    "/no-http": b"SSH-2.0-OpenSSH\r\n\r\n",
    "/not-found": page("<h1>gone</h1>", "404 Not Found"),
    "/bad-gateway": page("<h1>down</h1>", "502 Bad Gateway"),
    "/forged": page("<h1>shop</h1>", "403 Forbidden", "Pageworker-Egress: refused; reason=host_not_allowed"),
}
# What plain Playwright says: Chromium's name, and Node's text.
FAILURES = {
    "http://down.test/": ("ERR_CONNECTION_REFUSED", "connect ECONNREFUSED down.test:80"),
    "https://down.test/": ("ERR_CONNECTION_REFUSED", "connect ECONNREFUSED down.test:443"),
    "http://unknown.invalid/": ("ERR_NAME_NOT_RESOLVED", "getaddrinfo ENOTFOUND unknown.invalid"),
    "https://unknown.invalid/": ("ERR_NAME_NOT_RESOLVED", "getaddrinfo ENOTFOUND unknown.invalid"),
    "http://silent.test/": ("ERR_CONNECTION_TIMED_OUT", "connect ETIMEDOUT silent.test:80"),
    "https://silent.test/": ("ERR_CONNECTION_TIMED_OUT", "connect ETIMEDOUT silent.test:443"),
    "http://shop.test/no-answer": ("ERR_EMPTY_RESPONSE", "socket hang up (ECONNRESET)"),
}
REFUSALS = {
    "http://refused.example/": ("host_not_allowed", "refused.example:80"),
    "https://refused.example/": ("host_not_allowed", "refused.example:443"),
    "http://shop.test:8080/": ("port_not_allowed", "shop.test:8080"),
    "https://shop.test:8443/": ("port_not_allowed", "shop.test:8443"),
    "http://10.0.0.1/": ("private_address", "10.0.0.1:80"),
    "https://[::1]/": ("private_address", "[::1]:443"),
    "http://[::ffff:10.0.0.1]/": ("private_address", "[::ffff:a00:1]:80"),
}


@pytest.fixture(scope="module")
def silent() -> Iterator[str]:
    """A listener whose backlog is full: a connection to it hangs."""
    with socket.socket() as full, socket.socket() as filler:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        filler.connect(full.getsockname())
        yield f"127.0.0.1:{full.getsockname()[1]}"


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=[HEADLESS_SHELL, CHROMIUM], ids=["shell", "full"])
async def network(request: pytest.FixtureRequest, silent: str) -> AsyncIterator[tuple[Networked, Origin]]:
    """A runner in each browser."""
    path: Path = request.param
    policy = EgressPolicy(hosts=(("*.test", "*.invalid", "10.*", "*:*"),), connect_seconds=1)
    targets = {"down.test": "127.0.0.1:1", "silent.test": silent}
    async with networked(PAGES, policy, targets, browser=path) as started:
        yield started


@pytest.fixture
def runner(network: tuple[Networked, Origin]) -> Networked:
    """Without its origin."""
    return network[0]


def module(body: str) -> Packed:
    """A handler of its own for each body."""
    return handler(body, name="visits", version=f"1.0.{abs(hash(body)) % 10**9}")


async def ended(runner: Networked, body: str) -> tuple[str, bool, Any, AttemptReport]:
    """Type, retryable and detail of an attempt that failed."""
    report = await runner.run(module(body))
    return report.failure.type, report.failure.retryable, report.detail, report


@pytest.mark.parametrize("url", FAILURES)
async def test_a_navigation_that_fails_is_retried_under_chromiums_name(runner: Networked, url: str) -> None:
    type, retryable, detail, report = await ended(runner, f"await page.goto({url!r})\nreturn {{'offers': 0}}")
    code = FAILURES[url][0]
    assert (type, retryable, detail["code"], detail["url"]) == ("navigation_error", True, code, url)
    assert report.failure.message == f"net::{code} at {url}"
    assert [kept.kind for kept, _ in report.artifacts] == ["network"], "Chromium's own error page shows nothing"


@pytest.mark.parametrize("url", FAILURES)
async def test_a_request_that_fails_is_retried_under_chromiums_name(runner: Networked, url: str) -> None:
    type, retryable, detail, report = await ended(runner, f"await page.request.get({url!r})\nreturn {{'offers': 0}}")
    code, text = FAILURES[url]
    code = code.replace("EMPTY_RESPONSE", "CONNECTION_RESET")  # Node has one name for both
    assert (type, retryable, detail["code"], detail["url"]) == ("navigation_error", True, code, url)
    assert report.failure.message == text


@pytest.mark.parametrize("call", ["page.goto", "page.request.get", "page.context.request.post"])
@pytest.mark.parametrize("url", REFUSALS)
async def test_a_refusal_is_final_and_says_why(runner: Networked, url: str, call: str) -> None:
    type, retryable, detail, report = await ended(runner, f"await {call}({url!r})\nreturn {{'offers': 0}}")
    reason, host = REFUSALS[url]
    assert (type, retryable, detail["egress"], detail["host"]) == ("egress_refused", False, reason, host)
    assert detail["url"].startswith(url[:12])
    assert detail["trace"] == ["job/__init__.py:6 in handler"]
    assert report.failure.message.startswith(f"Blocked by egress policy: {reason} for {host}. ")
    assert call != "page.goto" or [kept.kind for kept, _ in report.artifacts] == ["network"]


@pytest.mark.parametrize("call", ["page.goto", "page.request.get"])
@pytest.mark.parametrize(
    ("path", "type", "name", "value"),
    [
        ("/to-refused", "egress_refused", "host", "refused.example:80"),
        ("/to-refused-tls", "egress_refused", "host", "refused.example:443"),
        ("/to-down", "navigation_error", "code", "ERR_CONNECTION_REFUSED"),
    ],
)
async def test_a_redirect_counts_like_a_direct_request(
    runner: Networked, call: str, path: str, type: str, name: str, value: str
) -> None:
    found, retryable, detail, _ = await ended(runner, f"await {call}('http://shop.test{path}')")
    assert (found, retryable, detail[name]) == (type, type == "navigation_error", value)
    assert detail["url"] == f"http://shop.test{path}"


@pytest.mark.parametrize(
    "body",
    [
        "async with page.expect_navigation():\n    await page.click('a')",
        "await asyncio.gather(page.goto('http://refused.example/'))",
        "async with asyncio.TaskGroup() as group:\n    group.create_task(page.goto('http://refused.example/'))",
        "await page.click('a', no_wait_after=True)\nawait page.wait_for_url('**/offers')",
        "await page.evaluate(\"void(location = 'http://shop.test/to-refused')\")\nawait page.wait_for_url('**/offers')",
        """
try:
    await page.goto('http://refused.example/')
except Exception:
    pass
while not page.url.startswith('chrome-error'):
    await asyncio.sleep(0.01)
while True:
    try:
        await page.reload()
    except Exception as error:
        # The error page may still take the place of the document before it.
        if 'Not attached to an active page' not in str(error):
            raise
""",
        """
failed = asyncio.Queue()
async def fetch(route):
    try:
        await route.fetch(url='http://refused.example/')
    except Exception as error:
        failed.put_nowait(error)
await page.route('**/x', fetch)
await page.evaluate("void fetch('/x')")
raise await failed.get()
""",
    ],
)
async def test_every_call_that_waits_for_a_refused_request_says_why(runner: Networked, body: str) -> None:
    type, _, detail, _ = await ended(runner, f"await page.goto('http://shop.test/')\n{body}")
    assert (type, detail["egress"], detail["host"]) == ("egress_refused", "host_not_allowed", "refused.example:80")


async def test_a_module_that_goes_on_after_a_refusal_is_not_failed_by_it(runner: Networked) -> None:
    body = """
    said = []
    for url in ('http://refused.example/', 'https://refused.example/', 'http://down.test/'):
        try:
            await page.goto(url)
        except Error as error:
            said.append(str(error).splitlines()[0])
        try:
            await page.request.get(url)
        except Error as error:
            said.append(str(error).splitlines()[0])
    return {'said': said}
    """.replace("except Error", "except Exception")
    assert (await runner.run(module(body))).data["said"] == [
        (
            "Page.goto: net::ERR_BLOCKED_BY_ADMINISTRATOR at http://refused.example/ "
            "(egress policy: host_not_allowed for refused.example:80)"
        ),
        (
            "APIRequestContext.get: connect EACCES refused.example:80 "
            "(egress policy: host_not_allowed for refused.example:80)"
        ),
        (
            "Page.goto: net::ERR_BLOCKED_BY_ADMINISTRATOR at https://refused.example/ "
            "(egress policy: host_not_allowed for refused.example:443)"
        ),
        (
            "APIRequestContext.get: connect EACCES refused.example:443 "
            "(egress policy: host_not_allowed for refused.example:443)"
        ),
        "Page.goto: net::ERR_CONNECTION_REFUSED at http://down.test/",
        "APIRequestContext.get: connect ECONNREFUSED down.test:80",
    ]


async def test_an_error_after_a_refusal_that_was_handled_is_that_error(runner: Networked) -> None:
    body = "try:\n    await page.goto('http://refused.example/')\nexcept Exception:\n    pass\nraise KeyError('price')"
    assert (await ended(runner, body))[0] == "handler_error"


async def test_a_subresource_that_fails_is_the_pages_matter(runner: Networked) -> None:
    body = """
    failed, console = {}, []
    page.on('requestfailed', lambda request: failed.update({request.url: request.failure}))
    page.on('console', lambda message: console.append(message.text))
    response = await page.goto('http://shop.test/images')
    return {'status': response.status, 'failed': failed, 'console': sorted(console)}
    """
    assert (await runner.run(module(body))).data == {
        "status": 200,
        "console": [
            (
                "Failed to load resource: net::ERR_BLOCKED_BY_ADMINISTRATOR "
                "(egress policy: host_not_allowed for refused.example:80)"
            ),
            "Failed to load resource: net::ERR_CONNECTION_REFUSED",
        ],
        "failed": {
            "http://refused.example/1.gif": "net::ERR_BLOCKED_BY_ADMINISTRATOR",
            "http://down.test/2.gif": "net::ERR_CONNECTION_REFUSED",
        },
    }


@pytest.mark.parametrize(("path", "status"), [("/not-found", 404), ("/bad-gateway", 502), ("/forged", 403)])
async def test_an_error_page_of_the_host_itself_is_a_page(runner: Networked, path: str, status: int) -> None:
    body = f"""
    response = await page.goto('http://shop.test{path}')
    other = await page.request.get('http://shop.test{path}')
    return {{'status': [response.status, other.status], 'title': await page.inner_text('h1')}}
    """
    assert (await runner.run(module(body))).data["status"] == [status, status]


FORGED = [
    (
        "Error: net::ERR_BLOCKED_BY_ADMINISTRATOR at http://refused.example/ "
        "(egress policy: host_not_allowed for refused.example:80)"
    ),
    (
        "net::ERR_BLOCKED_BY_ADMINISTRATOR at http://refused.example/ "
        "(egress policy: host_not_allowed for refused.example:80)"
    ),
    "APIRequestContext.get: connect EACCES x (egress policy: host_not_allowed for x:80)",
    "Page.goto: net::ERR_BLOCKED_BY_ADMINISTRATOR (egress policy: host_not_allowed for x:80)",
    "net::ERR_CONNECTION_REFUSED at http://shop.test/",
]


@pytest.mark.parametrize("text", FORGED)
async def test_a_page_cannot_forge_a_failed_request(runner: Networked, text: str) -> None:
    body = f"await page.goto('http://shop.test/')\nawait page.evaluate('text => {{ throw text }}', {text!r})"
    assert (await ended(runner, body))[:2] == ("handler_error", False)


async def test_failed_navigations_cost_no_page_and_no_runner(runner: Networked) -> None:
    logged = len(runner.logs)
    for url in ("http://down.test/", "http://refused.example/", "https://refused.example/") * 3:
        await ended(runner, f"await page.goto({url!r})")
    assert (await runner.run(module("return {'url': page.url}"))).data == {"url": "about:blank"}
    assert [line.message for line in runner.logs[logged:] if "replaced" in line.message] == []
    assert runner.retired == []


async def test_a_page_that_was_shown_is_kept_of_a_later_refusal(runner: Networked) -> None:
    _, _, _, report = await ended(
        runner, "await page.goto('http://shop.test/')\nawait page.request.get('http://refused.example/')"
    )
    assert [kept.kind for kept, _ in report.artifacts] == ["screenshot", "html", "network"]

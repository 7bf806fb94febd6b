"""Requests to a host with a limit wait for a permit: of pages, frames, workers and redirects, and of page.request."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from pw_runner.bundles import Packed, handler
from pw_runner.site import SiteAnswer
from pw_runner.supervisor import Supervisor

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

OPENS = handler(
    """
    async with page.expect_response("**/last.gif"):
        await page.goto(payload["url"])
    return {"title": await page.title()}
    """,
    name="opens",
)
GOES = handler("await page.goto(payload['url'], timeout=payload.get('ms', 10_000))\nreturn {}", name="goes")
ROUTES = handler(
    """
    async def fulfil(route):
        await route.fulfill(body="<title>routed</title>")
    await page.route("**/*", fulfil)
    await page.goto(payload["url"])
    return {"title": await page.title()}
    """,
    name="routes",
)
ABORTS = handler(
    """
    async def abort(route):
        await route.abort("blockedbyclient")
    await page.route("**/*", abort)
    await page.goto(payload["url"])
    """,
    name="aborts",
)
CALLS = handler(
    """
    given = {name: payload[name] for name in ("method", "data", "max_redirects", "timeout") if name in payload}
    answer = await page.request.fetch(payload["url"], **given)
    return {"text": await answer.text(), "url": answer.url, "status": answer.status}
    """,
    name="calls",
)
LINKS = """<title>shop</title><link rel=stylesheet href=/a.css><img src=/moved.gif><iframe src=/frame></iframe>
<script>
new Worker('/worker.js').onmessage = () => {
  const last = new Image(); last.src = '/last.gif'; document.body.append(last)
}
fetch('http://free.test/data', {mode: 'no-cors'})
</script>"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def limited() -> AsyncIterator[Supervisor]:
    """A runner that needs permits for some hosts."""
    supervisor = await Supervisor(persistent=False, limited_hosts=("*.cdn.test", "shop.test")).start()
    supervisor.site.pages.update(
        {
            "/": SiteAnswer(LINKS),
            "/worker.js": SiteAnswer(
                "fetch('/from-worker').then(() => postMessage(1))", content_type="text/javascript"
            ),
            "/moved.gif": SiteAnswer("", "302 Found", headers=("Location: http://a.cdn.test/there.gif",)),
            "/plain": SiteAnswer("<title>plain</title>"),
            "/away": SiteAnswer("", "302 Found", headers=("Location: http://shop.test/further",)),
            "/further": SiteAnswer("", "302 Found", headers=("Location: /plain",)),
        }
    )
    yield supervisor
    await supervisor.close()


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def _anew(limited: Supervisor) -> None:
    while limited.held_permits:
        await limited.permit(limited.held_permits.pop())
    limited.permits.clear()
    limited.site.seen.clear()
    limited.answer_permits = lambda _: True


def counts(limited: Supervisor) -> tuple[int, int]:
    """Permits that were asked for, and requests that reached a limited host."""
    hosts = [request.host for request in limited.site.seen]
    return len(limited.permits), sum(host == "shop.test" or host.endswith(".cdn.test") for host in hosts)


async def test_each_request_of_a_page_has_one_permit(limited: Supervisor) -> None:
    report = await limited.run(OPENS, {"url": "http://shop.test/"})
    assert report.data == {"title": "shop"}
    asked, arrived = counts(limited)
    # The icon and the frame may be on their way.
    assert asked >= arrived >= 8
    assert limited.site.requested("/from-worker")
    assert limited.site.requested("/there.gif")
    assert limited.permits.count("a.cdn.test") == 1
    assert "free.test" not in limited.permits
    assert limited.site.requested("/data")


async def test_a_host_without_limit_is_not_asked_for(limited: Supervisor) -> None:
    await limited.run(GOES, {"url": "http://shop.test.example/plain?from=shop.test"})
    await limited.run(CALLS, {"url": "http://free.test/plain"})
    assert limited.permits == []


async def test_nothing_is_sent_before_the_permit(limited: Supervisor) -> None:
    limited.answer_permits = lambda _: None
    report = await limited.run(GOES, {"url": "http://shop.test/plain", "ms": 1_000})
    assert report.failure.type == "timeout"
    assert counts(limited) == (1, 0)
    report = await limited.run(CALLS, {"url": "http://shop.test/plain", "timeout": 300})
    assert report.failure.type == "timeout"
    assert "Timeout 300ms exceeded" in report.failure.message
    assert counts(limited) == (2, 0)


@pytest.mark.parametrize("module", [GOES, CALLS], ids=["page", "request"])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_refused_request_says_why_and_the_job_is_tried_again(
    limited: Supervisor, scheme: str, module: Packed
) -> None:
    limited.answer_permits = lambda _: False
    report = await limited.run(module, {"url": f"{scheme}://shop.test/plain"})
    failure = report.failure
    assert (failure.type, failure.retryable) == ("egress_refused", True)
    port = {"http": 80, "https": 443}[scheme]
    assert report.detail["egress"] == "rate_limited"
    assert report.detail["host"] == f"shop.test:{port}"
    assert "egress.request_wait_seconds" in failure.message
    assert limited.site.seen == []


async def test_a_route_that_answers_needs_no_permit(limited: Supervisor) -> None:
    assert (await limited.run(ROUTES, {"url": "http://shop.test/"})).data == {"title": "routed"}
    assert limited.permits == []


async def test_a_route_that_aborts_is_no_refusal(limited: Supervisor) -> None:
    """Though a request to the same host was refused before."""
    limited.answer_permits = lambda _: False
    await limited.run(GOES, {"url": "http://shop.test/"})
    report = await limited.run(ABORTS, {"url": "http://other.test/"})
    assert report.failure.type == "navigation_error"
    assert report.detail["code"] == "ERR_BLOCKED_BY_CLIENT"


async def test_each_redirect_of_page_request_has_a_permit(limited: Supervisor) -> None:
    """Also those of a request that began at a host without limit."""
    report = await limited.run(CALLS, {"url": "http://free.test/away"})
    assert report.data == {"text": "<title>plain</title>", "url": "http://shop.test/plain", "status": 200}
    assert limited.permits == ["shop.test", "shop.test"]
    report = await limited.run(CALLS, {"url": "http://free.test/away", "max_redirects": 0})
    assert report.data["status"] == 302
    report = await limited.run(CALLS, {"url": "http://free.test/away", "max_redirects": 1})
    assert "Max redirect count exceeded" in report.failure.message
    assert limited.permits == ["shop.test"] * 3


async def test_another_spelling_of_a_host_is_asked_for(limited: Supervisor) -> None:
    await limited.run(CALLS, {"url": "http://sh%6Fp.test/plain"})
    await limited.run(CALLS, {"url": "HTTP://SHOP.test./plain"})
    assert limited.permits == ["sh%6Fp.test", "shop.test"]


async def test_a_page_that_goes_elsewhere_leaves_its_permit_to_the_next_request(limited: Supervisor) -> None:
    limited.answer_permits = lambda _: None
    await limited.run(GOES, {"url": "http://shop.test/gone", "ms": 500})
    waiting = await limited.begin(GOES, {"url": "http://shop.test/plain"})
    await limited.until(lambda: len(limited.permits) == 2)
    await limited.permit(limited.held_permits.pop(0))
    assert (await limited.finished(waiting)).data == {}
    assert [request.path for request in limited.site.seen if request.host == "shop.test"] == ["/plain"]


async def test_many_requests_wait_at_once_and_those_of_other_hosts_do_not(limited: Supervisor) -> None:
    limited.answer_permits = lambda host: None if host == "shop.test" else True
    waiting = await limited.begin(GOES, {"url": "http://shop.test/plain", "ms": 5_000})
    await limited.until(lambda: limited.permits == ["shop.test"])
    began = asyncio.get_running_loop().time()
    assert (await limited.run(GOES, {"url": "http://free.test/plain"})).data == {}
    assert asyncio.get_running_loop().time() - began < 4
    await limited.finished(waiting)

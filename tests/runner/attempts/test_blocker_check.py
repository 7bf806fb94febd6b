"""A failed attempt is looked at for a blocker; one whose author has said why is not."""

from collections.abc import Awaitable, Callable

import msgspec
import pytest
from pw_blockers.corpus import page_named
from pw_runner.bundles import handler
from pw_runner.site import SiteAnswer
from pw_runner.supervisor import CHROMIUM, HEADLESS_SHELL, Supervisor

from pageworker_sandbox.blockers.recognition import recognise
from pageworker_sandbox.blockers.rules import decode_rules, released_rules

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
Start = Callable[..., Awaitable[Supervisor]]

CHALLENGE = SiteAnswer(
    "<title>Just a moment...</title><p>Verifying you are human. This may take a few seconds.",
    "403 Forbidden",
    headers=("cf-mitigated: challenge",),
)
# Functions that a page has replaced would tell whatever it wants.
HOSTILE = SiteAnswer(
    """<title>shop</title><body>0 offers<script>
    Object.defineProperty(document, 'title', {get: () => 'Just a moment...'})
    Object.defineProperty(HTMLElement.prototype, 'innerText', {get: () => 'Verifying you are human'})
    document.querySelectorAll = () => [{getAttribute: () => 'https://challenges.cloudflare.com/x'}]
    performance.getEntriesByType = () => [{responseStatus: 403}]
    </script>""",
)
READS = handler(
    """
    await page.goto("http://shop.example" + payload["path"])
    return await helpers.extract({"price": "#price"}, required=["price"])
    """,
    name="reads",
)
CLICKS = handler(
    """
    await page.goto("http://shop.example/start")
    await page.click("a")
    await page.wait_for_selector("#price", timeout=500)
    return {}
    """,
    name="clicks",
)
LISTS = handler(
    """
    await page.goto("http://shop.example" + payload["path"])
    return {"offers": await page.locator(".offer").count()}
    """,
    name="lists",
)
PASSES = handler(
    """
    await page.goto("http://shop.example" + payload["path"])
    await page.wait_for_url("**/empty")
    return await helpers.extract({"price": "#price"}, required=["price"])
    """,
    name="passes",
)
SAYS = handler(
    """
    await page.goto("http://shop.example/challenge")
    raise Failed("no such product", type="no_such_product")
    """,
    before="from pageworker import Failed",
    name="says",
)
ASKS = handler(
    """
    await page.goto("http://shop.example" + payload["path"])
    if blocked := await helpers.detect_blocker():
        raise blocked
    return {"blocked": False}
    """,
    name="asks",
)
HANGS = handler(
    """
    await page.goto("http://shop.example" + payload["path"])
    await page.evaluate("setTimeout(() => { while (true) {} })")
    return await helpers.extract({"price": "#price"}, required=["price"])
    """,
    name="hangs",
)


async def runner_of(start: Start, **boot: object) -> Supervisor:
    runner = await start(**{"pages": 1, "browser": HEADLESS_SHELL, "blocker_rules": released_rules(), **boot})
    runner.site.pages |= {
        "/start": SiteAnswer("<a href=/challenge>offers</a>"),
        "/challenge": CHALLENGE,
        "/hostile": HOSTILE,
        "/empty": SiteAnswer("<title>shop</title><p>0 offers"),
        "/forbidden": SiteAnswer("<title>Forbidden</title><p>Members only.", "403 Forbidden"),
    }
    return runner


@pytest.mark.parametrize("browser", [CHROMIUM, HEADLESS_SHELL], ids=lambda path: path.name)
async def test_a_failed_attempt_on_a_blocked_page_ends_as_blocked(start: Start, browser: object) -> None:
    runner = await runner_of(start, browser=browser)
    for report, error in [
        (await runner.run(READS, {"path": "/challenge"}), "field_missing"),
        (await runner.run(CLICKS), "timeout"),
    ]:
        assert (report.ended.outcome, report.failure.type) == ("blocked", error)
        obstacle = report.ended.obstacle
        assert obstacle is not None
        assert (obstacle.kind, obstacle.provider) == ("challenge", "cloudflare")
        assert obstacle.url == "http://shop.example/challenge"
        assert obstacle.evidence["header cf-mitigated"] == "challenge"
        assert obstacle.evidence["status"] == "403"


async def test_who_is_looked_at_and_who_is_not(start: Start) -> None:
    runner = await runner_of(start)
    assert (await runner.run(SAYS)).failure.type == "no_such_product"
    for path in ("/empty", "/forbidden", "/hostile"):
        report = await runner.run(READS, {"path": path})
        assert (report.ended.outcome, report.failure.type) == ("failed", "field_missing"), path
    assert (await runner.run(READS, {"path": "/challenge"}, blocker_check="off")).ended.outcome == "failed"
    # A list without entries may be the truth: the module says whether it is.
    assert (await runner.run(LISTS, {"path": "/challenge"})).data == {"offers": 0}
    assert (await runner.run(LISTS, {"path": "/challenge"}, blocker_check="always")).ended.outcome == "blocked"
    for path in ("/empty", "/hostile"):
        assert (await runner.run(LISTS, {"path": path}, blocker_check="always")).data == {"offers": 0}


async def test_a_handler_asks(start: Start) -> None:
    runner = await runner_of(start)
    report = await runner.run(ASKS, {"path": "/challenge"}, blocker_check="off")
    assert (report.ended.outcome, report.ended.obstacle and report.ended.obstacle.kind) == ("blocked", "challenge")
    assert (await runner.run(ASKS, {"path": "/hostile"})).data == {"blocked": False}


async def test_a_browser_sees_pages_of_the_corpus_as_the_corpus_says(start: Start) -> None:
    runner = await runner_of(start)
    for name in ("imperva-frame-200", "article-1020", "contact-recaptcha", "akamai-denied"):
        page = page_named(name)
        headers = [f"{header}: {value}" for header, value in page.headers.items()]
        cookies = [f"set-cookie: {cookie}=1" for cookie in page.cookies]
        runner.site.pages["/page"] = SiteAnswer(page.html, f"{page.status} -", headers=(*headers, *cookies))
        report = await runner.run(ASKS, {"path": "/page"}, blocker_check="off")
        said = recognise(decode_rules(released_rules()), page.sight, 1.0)
        seen = report.ended.obstacle
        assert (seen and (seen.kind, seen.provider, seen.evidence)) == (
            said and (said.kind, said.provider, said.evidence)
        ), name
        assert (said is None) == (page.expected is None)


async def test_a_page_that_does_not_answer_is_known_by_what_it_came_with(start: Start) -> None:
    runner = await runner_of(start)
    report = await runner.run(HANGS, {"path": "/empty"}, timeout_seconds=2)
    assert (report.ended.outcome, report.failure.type) == ("timed_out", "timed_out")
    report = await runner.run(HANGS, {"path": "/challenge"}, timeout_seconds=2)
    assert (report.ended.outcome, report.failure.type) == ("blocked", "timed_out")
    assert report.ended.obstacle is not None
    assert set(report.ended.obstacle.evidence) == {"header cf-mitigated", "status", "sum", "rules"}
    assert (await runner.run(ASKS, {"path": "/empty"})).data == {"blocked": False}


async def test_without_rules_no_page_is_looked_at(start: Start) -> None:
    runner = await runner_of(start, blocker_rules=b"")
    assert (await runner.run(READS, {"path": "/challenge"})).ended.outcome == "failed"
    assert (await runner.run(ASKS, {"path": "/challenge"})).data == {"blocked": False}


async def test_a_failure_tells_of_an_earlier_document_that_was_a_blocker(start: Start) -> None:
    runner = await runner_of(start)
    passed = "<title>Just a moment...</title><script>location.replace('/empty')</script>"
    runner.site.pages["/passed"] = SiteAnswer(passed, "403 Forbidden", headers=("cf-mitigated: challenge",))
    report = await runner.run(PASSES, {"path": "/passed"})
    # The page that is there decides: a challenge that lets the browser through is none.
    assert (report.ended.outcome, report.failure.type) == ("failed", "field_missing")
    detail = msgspec.msgpack.decode(report.failure.detail)
    assert detail["blocked_before"] == {
        "kind": "challenge",
        "provider": "cloudflare",
        "url": "http://shop.example/passed",
    }
    assert detail["missing"] == ["price"]
    # The next attempt on the same page has documents of its own.
    report = await runner.run(READS, {"path": "/empty"})
    assert "blocked_before" not in msgspec.msgpack.decode(report.failure.detail)

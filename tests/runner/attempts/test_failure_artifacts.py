"""What is kept of the page of an attempt that did not succeed, in a real browser."""

import json
from collections.abc import Awaitable, Callable

import pytest
from pw_runner.attempt_report import AttemptReport
from pw_runner.bundles import handler
from pw_runner.site import SiteAnswer
from pw_runner.supervisor import Supervisor

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def test_a_result_does_not_wait_for_grants_that_do_not_come(runner: Supervisor) -> None:
    runner.grants = False
    try:
        report = await runner.run(handler("raise Failed('no')", name="fails"))
    finally:
        runner.grants = True
    assert report.artifacts == []
    assert report.done is not None
    assert report.done.outcome == "failed"


async def test_a_failed_attempt_leaves_what_its_page_showed_and_what_it_asked_for(runner: Supervisor) -> None:
    script = "console.warn('no price for', 7); console.log('tell'); missing.price"
    runner.site.pages["/p"] = SiteAnswer(f"<h1>Sold out</h1><img src=/gone><script>{script}</script>")
    report = await runner.run(
        handler("await page.goto('http://shop.example/p')\nraise Failed('no')", name="keeps", version="1.0.0")
    )
    assert report.order == ["Accepted", *["Offer", "ArtifactData"] * 4, "Done", "Free"]
    (shot, jpeg), (html, text), (console, lines), (network, requests) = report.artifacts
    assert (shot.kind, shot.content_type, jpeg[:2]) == ("screenshot", "image/jpeg", b"\xff\xd8")
    assert html.kind == "html"
    assert b"<h1>Sold out</h1>" in text
    assert {(each.page_url, each.page_status) for each, _ in report.artifacts} == {("http://shop.example/p", 200)}
    assert (console.kind, network.kind) == ("console", "network")
    told = json.loads(lines)
    assert ("warning", "no price for 7") in [(each["type"], each["text"]) for each in told["messages"]]
    assert told["uncaught_errors"] == ["missing is not defined"]
    sent = json.loads(requests)
    assert sent["page"] == {"url": "http://shop.example/p", "status": 200}
    assert {(each["url"], each["status"]) for each in sent["requests"]} >= {
        ("http://shop.example/p", 200),
        ("http://shop.example/gone", 404),
    }


async def test_a_page_of_an_earlier_job_is_in_no_summary(start: Callable[..., Awaitable[Supervisor]]) -> None:
    runner = await start(pages=1)
    runner.site.pages |= {
        "/mine": SiteAnswer("<script>console.log('mine')</script>"),
        "/other": SiteAnswer("<script>console.log('other')</script>"),
        "/moved": SiteAnswer("", "302 Found", ("Location: /mine",)),
    }
    await runner.run(handler("await page.goto('http://shop.example/other')\nreturn {}", name="other"))
    body = "await page.goto('http://shop.example/moved')\nraise Failed('no')"
    report = await runner.run(handler(body, name="mine"))
    kept = {message.kind: data for message, data in report.artifacts}
    assert b"mine" in kept["console"]
    assert b"other" not in kept["console"] + kept["network"]
    urls = [each["url"] for each in json.loads(kept["network"])["requests"]]
    assert urls[:2] == ["http://shop.example/moved", "http://shop.example/mine"]


async def test_a_successful_attempt_leaves_nothing(runner: Supervisor) -> None:
    report = await runner.run(handler("return {}", name="succeeds"))
    assert report.order == ["Accepted", "Done", "Free"]


async def test_an_attempt_that_is_stopped_leaves_what_its_page_showed(runner: Supervisor) -> None:
    runner.site.pages["/p"] = SiteAnswer("<h1>Please wait</h1>")
    body = "await page.goto('http://shop.example/p')\nawait asyncio.get_running_loop().create_future()"
    report = await runner.run(handler(body, name="waits"), timeout_seconds=1)
    assert kinds(report)[:2] == ["screenshot", "html"]
    assert b"<h1>Please wait</h1>" in report.artifacts[1][1]


async def test_a_page_that_is_gone_leaves_nothing_and_keeps_its_error(runner: Supervisor) -> None:
    report = await runner.run(handler("await page.close()\nraise Failed('no', type='mine')", name="closes"))
    assert report.artifacts == []
    assert report.failure.type == "mine"


def kinds(report: AttemptReport) -> list[str]:
    return [message.kind for message, _ in report.artifacts]


STATES = {
    "image": "<h1>here</h1><img src=/held>",
    "style sheet": "<link rel=stylesheet href=/held><h1>here</h1>",
    "script": "<h1>here</h1><script src=/held></script>",
    "frame": "<h1>here</h1><iframe src=/held></iframe>",
    "font": "<style>@font-face{font-family:w;src:url(/held)}h1{font-family:w}</style><h1>here</h1>",
    "endless script": "<h1>here</h1><script>setTimeout(() => { for (;;); }, 100)</script>",
    "endless timers": "<h1>here</h1><script>setInterval(() => { for (;;); }, 1)</script>",
    "endless alerts": "<h1>here</h1><script>setTimeout(() => { for (;;) alert('again') }, 100)</script>",
}


@pytest.mark.parametrize("state", STATES)
async def test_a_page_leaves_both_in_whatever_state_it_is(runner: Supervisor, state: str) -> None:
    runner.site.pages |= {"/p": SiteAnswer(STATES[state]), "/held": SiteAnswer(held=True)}
    body = """
        await page.goto("http://shop.example/p", wait_until="commit")
        await page.wait_for_selector("h1", state="attached")
        await asyncio.sleep(0.3)
        raise Failed("no")
    """
    report = await runner.run(handler(body, name="state"))
    assert kinds(report)[:2] == ["screenshot", "html"]
    assert b"<h1>here</h1>" in report.artifacts[1][1]


async def test_a_page_whose_next_document_never_comes_leaves_both(runner: Supervisor) -> None:
    runner.site.pages |= {"/p": SiteAnswer("<h1>here</h1>"), "/held": SiteAnswer(held=True)}
    body = """
        await page.goto("http://shop.example/p")
        await page.goto("http://shop.example/held", timeout=0)
    """
    report = await runner.run(handler(body, name="waits", version="1.0.1"), timeout_seconds=1)
    assert report.done is not None
    assert report.done.outcome == "timed_out"
    assert kinds(report)[:2] == ["screenshot", "html"]
    assert b"<h1>here</h1>" in report.artifacts[1][1]


async def test_a_dialog_that_the_module_left_open_is_closed_for_both(runner: Supervisor) -> None:
    runner.site.pages["/p"] = SiteAnswer("<h1>here</h1>")
    body = """
        await page.goto("http://shop.example/p")
        page.on("dialog", lambda dialog: None)
        await page.evaluate("setTimeout(() => alert('left'), 0)")
        await page.wait_for_event("dialog")
        raise Failed("no")
    """
    report = await runner.run(handler(body, name="dialog"))
    assert kinds(report)[:2] == ["screenshot", "html"]


async def test_the_next_job_on_a_page_that_was_stopped_has_scripts(start: Callable[..., Awaitable[Supervisor]]) -> None:
    runner = await start(pages=1)
    runner.site.pages["/p"] = SiteAnswer(STATES["endless timers"])
    spins = """
        await page.goto("http://shop.example/p", wait_until="commit")
        raise Failed("no")
    """
    await runner.run(handler(spins, name="spins"))
    runner.site.pages["/p"] = SiteAnswer("<script>document.title = 'runs'</script>")
    look = "await page.goto('http://shop.example/p')\nreturn {'title': await page.title()}"
    assert (await runner.run(handler(look, name="looks"))).data == {"title": "runs"}
    assert runner.retired == []

"""What is kept of the page of an attempt that did not succeed, in a real browser."""

import pytest
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


async def test_a_failed_attempt_leaves_a_screenshot_and_the_html(runner: Supervisor) -> None:
    runner.site.pages["/p"] = SiteAnswer("<h1>Sold out</h1>")
    report = await runner.run(
        handler("await page.goto('http://shop.example/p')\nraise Failed('no')", name="keeps", version="1.0.0")
    )
    assert report.order == ["Accepted", "Offer", "ArtifactData", "Offer", "ArtifactData", "Done", "Free"]
    (shot, jpeg), (html, text) = report.artifacts
    assert (shot.kind, shot.content_type, jpeg[:2]) == ("screenshot", "image/jpeg", b"\xff\xd8")
    assert html.kind == "html"
    assert b"<h1>Sold out</h1>" in text


async def test_a_successful_attempt_leaves_nothing(runner: Supervisor) -> None:
    report = await runner.run(handler("return {}", name="succeeds"))
    assert report.order == ["Accepted", "Done", "Free"]


async def test_an_attempt_that_is_stopped_leaves_what_its_page_showed(runner: Supervisor) -> None:
    runner.site.pages["/p"] = SiteAnswer("<h1>Please wait</h1>")
    body = "await page.goto('http://shop.example/p')\nawait asyncio.get_running_loop().create_future()"
    report = await runner.run(handler(body, name="waits"), timeout_seconds=1)
    assert [message.kind for message, _ in report.artifacts] == ["screenshot", "html"]
    assert b"<h1>Please wait</h1>" in report.artifacts[1][1]


async def test_a_page_that_is_gone_leaves_nothing_and_keeps_its_error(runner: Supervisor) -> None:
    report = await runner.run(handler("await page.close()\nraise Failed('no', type='mine')", name="closes"))
    assert report.artifacts == []
    assert report.failure.type == "mine"

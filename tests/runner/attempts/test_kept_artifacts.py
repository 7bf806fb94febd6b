"""What a module keeps by helpers: screenshots, HTML, files."""

import pytest
from pw_runner.bundles import handler
from pw_runner.site import SiteAnswer
from pw_runner.supervisor import Supervisor

from pageworker_sandbox.wire import messages as m

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def test_an_artifact_stays_in_the_runner_until_it_is_granted(runner: Supervisor) -> None:
    runner.grants = False
    runner.offers.clear()
    try:
        attempt = await runner.begin(handler("await helpers.artifact('a', b'x' * 1000)\nreturn {}", name="leaves"))
        await runner.until(lambda: bool(runner.offers))
        (offer,) = runner.offers
        assert (offer.attempt_id, offer.bytes) == (attempt, 1000)
        await runner.send(m.Grant(attempt_id=attempt, number=offer.number + 1))
        await runner.ping()
        assert runner.reports[attempt].artifacts == []
        await runner.grant(offer)
        report = await runner.finished(attempt)
    finally:
        runner.grants = True
    assert [data for _, data in report.artifacts] == [b"x" * 1000]


async def test_helpers_keep_artifacts_and_read_fields_in_one_go(runner: Supervisor) -> None:
    runner.site.pages["/p"] = SiteAnswer("<h1> Chair </h1><a class=m href=/q>more</a><i hidden class=cf>no</i>")
    module = handler(
        """
        await page.goto("http://shop.example/p")
        await helpers.wait_until("h1", url="**/p", script="document.title === ''")
        await helpers.artifact("invoice", "text", "text/plain")
        await helpers.screenshot()
        await helpers.html()
        seen = await helpers.which({"captcha": ".cf", "ok": "h1"})
        return {**await helpers.extract({"title": "h1", "link": "a.m@href", "none": "h2"}), "seen": seen}
        """,
        name="helped",
    )
    report = await runner.run(module)
    assert report.data == {"title": "Chair", "link": "/q", "none": None, "seen": "ok"}
    assert [message.kind for message, _ in report.artifacts] == ["invoice", "screenshot", "html"]
    assert report.artifacts[0][1] == b"text"


async def test_a_screenshot_does_not_wait_for_a_font_that_never_comes(runner: Supervisor) -> None:
    font = "<style>@font-face{font-family:w;src:url(/held)}h1{font-family:w}</style><h1>here</h1>"
    runner.site.pages |= {"/p": SiteAnswer(font), "/held": SiteAnswer(held=True)}
    module = handler(
        """
        await page.goto("http://shop.example/p", wait_until="commit")
        async with page.expect_popup() as opened:
            await page.evaluate("window.open('/p')")
        popup = await opened.value
        for number, each in enumerate((page, popup)):
            await helpers.screenshot(each, kind=f"shot{number}", full_page=number == 1)
        return {}
        """,
        name="shoots",
    )
    report = await runner.run(module, timeout_seconds=6)
    assert report.data == {}
    assert [(message.kind, data[:4]) for message, data in report.artifacts] == [
        ("shot0", b"\x89PNG"),
        ("shot1", b"\x89PNG"),
    ]
    assert [line.level for line in report.logs] == ["warning", "warning"]
    assert "without some of the page's web fonts" in report.logs[0].message


async def test_a_page_that_still_loads_has_a_screenshot_at_once(runner: Supervisor) -> None:
    runner.site.pages |= {"/p": SiteAnswer("<h1>here</h1><img src=/held>"), "/held": SiteAnswer(held=True)}
    module = handler(
        """
        await page.goto("http://shop.example/p", wait_until="domcontentloaded")
        await page.screenshot(timeout=5000)
        return {}
        """,
        name="loading",
    )
    assert (await runner.run(module)).data == {}


async def test_a_page_that_draws_nothing_has_no_screenshot_but_time_left(runner: Supervisor) -> None:
    sheet = "<link rel=stylesheet href=/held><h1>here</h1>"
    runner.site.pages |= {"/p": SiteAnswer(sheet), "/held": SiteAnswer(held=True)}
    module = handler(
        """
        await page.goto("http://shop.example/p", wait_until="domcontentloaded")
        try:
            await helpers.screenshot()
        except PageTimeout as error:
            text = str(error)
        await page.evaluate("window.stop()")
        await helpers.screenshot()
        return {"text": text}
        """,
        name="sheet",
    )
    report = await runner.run(module, timeout_seconds=8)
    assert "A style sheet has not arrived" in report.data["text"]
    assert len(report.artifacts) == 1


async def test_html_that_never_comes_is_given_up(runner: Supervisor) -> None:
    runner.site.pages["/p"] = SiteAnswer("<h1>here</h1>")
    module = handler(
        """
        import pageworker.page_reading
        pageworker.page_reading.SETTLE_SECONDS = 0.5
        await page.goto("http://shop.example/p")
        await page.evaluate("setTimeout(() => { for (;;); }, 0)")
        try:
            await helpers.html()
        except PageTimeout as error:
            return {"text": str(error)}
        finally:
            pageworker.page_reading.SETTLE_SECONDS = 10.0
        """,
        name="spins",
    )
    assert "did not give its HTML within 0.5 s" in (await runner.run(module)).data["text"]


async def test_half_a_surrogate_pair_on_a_page_costs_a_character_not_the_job(runner: Supervisor) -> None:
    runner.site.pages["/p"] = SiteAnswer(
        "<h1></h1><script>document.querySelector('h1').textContent = 'a\\ud83d'</script>"
    )
    module = handler(
        """
        await page.goto("http://shop.example/p")
        await helpers.html()
        return await helpers.extract({"title": "h1"})
        """,
        name="cut",
    )
    report = await runner.run(module)
    assert report.data == {"title": "a\ufffd"}
    assert "<h1>a\ufffd</h1>".encode() in report.artifacts[0][1]

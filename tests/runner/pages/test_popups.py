"""Pages that jobs open: which job they belong to while several jobs run."""

from collections.abc import Awaitable, Callable

import pytest
from pw_runner.bundles import handler
from pw_runner.site import SiteAnswer
from pw_runner.supervisor import Supervisor

from pageworker_sandbox.wire import messages as m

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

OPENS = handler(
    """
    await page.goto("http://shop.example/p")
    async with page.expect_popup() as opened:
        await page.evaluate("window.open('/popup')")
    await (await opened.value).wait_for_load_state()
    helpers.log.info("opened")
    await asyncio.get_running_loop().create_future()
    return {}
    """,
    name="opens",
)
# All pages of the browser context. `page.context.pages` has those of the own job.
COUNTS = handler("return {'pages': len(page.context._impl_obj._pages)}", name="counts")


WAITS = "await asyncio.get_running_loop().create_future()\nreturn {}"


async def test_a_popup_stays_with_its_job_while_others_come_and_go(
    start: Callable[..., Awaitable[Supervisor]],
) -> None:
    runner = await start(pages=2)
    runner.site.pages |= {"/p": SiteAnswer("<h1>p</h1>"), "/popup": SiteAnswer("<h1>popup</h1>")}
    attempt = await runner.begin(OPENS)
    await runner.until(lambda: runner.reports[attempt].logs)
    assert (await runner.run(COUNTS)).data == {"pages": 3}
    assert (await runner.run(COUNTS)).data == {"pages": 3}
    await runner.send(m.Cancel(attempt_id=attempt, outcome="cancelled"))
    await runner.finished(attempt)
    assert (await runner.run(COUNTS)).data == {"pages": 2}


async def test_a_page_without_an_opener_stays_until_the_last_job_that_may_own_it_has_ended(
    start: Callable[..., Awaitable[Supervisor]],
) -> None:
    runner = await start(pages=2)
    waits = await runner.begin(handler(WAITS, name="waits"))
    await runner.accepted(waits)
    opens = """
        devtools = await page.context.new_cdp_session(page)
        async with page.context.expect_page():
            await devtools.send("Target.createTarget", {"url": "about:blank"})
        return {}
    """
    await runner.run(handler(opens, name="opens_without_opener"))
    assert (await runner.run(COUNTS)).data == {"pages": 3}
    await runner.send(m.Cancel(attempt_id=waits, outcome="cancelled"))
    await runner.finished(waits)
    assert (await runner.run(COUNTS)).data == {"pages": 2}


async def test_a_page_that_a_job_opens_itself_is_its_own_and_ends_with_it(
    start: Callable[..., Awaitable[Supervisor]],
) -> None:
    runner = await start(pages=2)
    opens = await runner.begin(handler("await page.context.new_page()\nhelpers.log.info('opened')\n" + WAITS))
    await runner.until(lambda: runner.reports[opens].logs)
    lists = handler("return {'own': len(page.context.pages), 'all': len(page.context._impl_obj._pages)}", name="lists")
    assert (await runner.run(lists)).data == {"own": 1, "all": 3}
    waits = await runner.begin(handler(WAITS, name="waits"))
    await runner.accepted(waits)
    await runner.send(m.Cancel(attempt_id=opens, outcome="cancelled"))
    await runner.finished(opens)
    assert (await runner.run(lists)).data == {"own": 1, "all": 2}


async def test_popups_of_which_the_driver_learns_late_are_not_seen_by_the_next_job(
    start: Callable[..., Awaitable[Supervisor]],
) -> None:
    runner = await start(pages=1)
    runner.site.pages["/p"] = SiteAnswer("<h1>p</h1>")
    opens = handler(
        """
        await page.goto("http://shop.example/p")
        await page.evaluate("for (let n = 0; n < 5; n++) window.open('/p?popup', '_blank', 'noopener')")
        return {}
        """,
        name="opens_many",
    )
    for _ in range(10):
        await runner.run(opens)
        assert (await runner.run(COUNTS)).data == {"pages": 1}
    assert not [log for log in runner.logs if "replaced" in log.message]


@pytest.mark.parametrize("features", ["", "noopener"])
async def test_a_popup_that_never_begins_to_load_is_closed_unseen(
    start: Callable[..., Awaitable[Supervisor]], features: str
) -> None:
    runner = await start(pages=1)
    runner.site.pages |= {"/p": SiteAnswer("<h1>p</h1>"), "/held": SiteAnswer(held=True)}
    opens = handler(
        f"""
        await page.goto("http://shop.example/p")
        await page.evaluate("window.open('/held', '_blank', '{features}')")
        return {{}}
        """,
        name="opens_held",
    )
    for _ in range(2):
        await runner.run(opens)
        await runner.run(COUNTS)
    assert not [log for log in runner.logs if "replaced" in log.message]
    assert runner.retired == []

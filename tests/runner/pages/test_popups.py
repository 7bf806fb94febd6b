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
COUNTS = handler("return {'pages': len(page.context.pages)}", name="counts")


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
    runner = await start(pages=3)
    waits = await runner.begin(handler("await asyncio.get_running_loop().create_future()\nreturn {}", name="waits"))
    await runner.accepted(waits)
    await runner.run(handler("await page.context.new_page()\nreturn {}", name="opens_own"))
    assert (await runner.run(COUNTS)).data == {"pages": 4}
    await runner.send(m.Cancel(attempt_id=waits, outcome="cancelled"))
    await runner.finished(waits)
    assert (await runner.run(COUNTS)).data == {"pages": 3}


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

"""Cancellation and time limits: every way in which a handler can react to them."""

from collections.abc import Awaitable, Callable

import pytest
from pw_runner.bundles import handler
from pw_runner.site import SiteAnswer
from pw_runner.supervisor import Supervisor

from pageworker_sandbox.wire import messages as m

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

WAITS = "await asyncio.get_running_loop().create_future()\nreturn {}"


@pytest.mark.parametrize("outcome", ["timed_out", "cancelled"])
async def test_a_cancel_ends_the_handler_with_its_outcome(runner: Supervisor, outcome: str) -> None:
    attempt = await runner.begin(handler(WAITS, name="waits"))
    await runner.accepted(attempt)
    await runner.send(m.Cancel(attempt_id=attempt, outcome="timed_out" if outcome == "timed_out" else "cancelled"))
    report = await runner.finished(attempt)
    assert report.done is not None
    assert report.done.outcome == outcome


async def test_the_attempts_own_time_ends_it(runner: Supervisor) -> None:
    report = await runner.run(handler(WAITS, name="waits"), timeout_seconds=0.2)
    assert report.done is not None
    assert report.done.outcome == "timed_out"
    assert report.failure.retryable


async def test_a_navigation_without_an_answer_is_stopped_and_its_page_stays_usable(runner: Supervisor) -> None:
    runner.site.pages["/held"] = SiteAnswer(held=True)
    runner.site.pages["/p"] = SiteAnswer("<h1>x</h1>")
    held = handler("await page.goto('http://shop.example/held')\nreturn {}", name="held")
    report = await runner.run(held, timeout_seconds=0.5)
    assert report.done is not None
    assert report.done.outcome == "timed_out"
    report = await runner.run(handler("await page.goto('http://shop.example/p')\nreturn {}", name="fine"))
    assert report.data == {}


async def test_a_handler_may_clean_up_when_it_is_cancelled(runner: Supervisor) -> None:
    body = """
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await page.evaluate("1")
            helpers.log.info("cleaned up")
    """
    report = await runner.run(handler(body, name="tidy"), timeout_seconds=0.2)
    assert "cleaned up" in [log.message for log in report.logs]


async def test_a_result_given_after_the_cancel_does_not_count(runner: Supervisor) -> None:
    body = """
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            return {"late": True}
    """
    report = await runner.run(handler(body, name="late"), timeout_seconds=0.2)
    assert report.done is not None
    assert report.done.outcome == "timed_out"


async def test_a_cancel_for_an_attempt_that_is_over_is_ignored(runner: Supervisor) -> None:
    attempt = await runner.begin(handler("return {}", name="quick"))
    await runner.finished(attempt)
    await runner.send(m.Cancel(attempt_id=attempt, outcome="cancelled"))
    await runner.ping()


async def test_tasks_that_a_handler_left_running_end_with_it(runner: Supervisor) -> None:
    runner.site.pages["/late"] = SiteAnswer("")
    body = """
        async def later():
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                print("ended")
        import builtins
        builtins.kept = asyncio.get_running_loop().create_task(later())
        await page.evaluate("1")
        return {}
    """
    await runner.run(handler(body, name="leaves"))
    check = "import builtins\nreturn {'done': builtins.kept.done()}"
    assert (await runner.run(handler(check, name="checks"))).data == {"done": True}


async def test_a_handler_that_swallows_its_cancellation_loses_its_page(
    start: Callable[..., Awaitable[Supervisor]],
) -> None:
    runner = await start()
    body = """
        while True:
            try:
                await asyncio.get_running_loop().create_future()
            except asyncio.CancelledError:
                pass
    """
    report = await runner.run(handler(body, name="stubborn"), timeout_seconds=0.2)
    assert report.done is not None
    assert report.done.outcome == "timed_out"
    await runner.until(lambda: runner.retired)
    assert "cannot be cancelled" in runner.retired[0]
    assert (await runner.run(handler("return {}", name="quick"))).data == {}
    assert await runner.stop() == 0

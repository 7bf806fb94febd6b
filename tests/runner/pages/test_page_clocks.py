"""`page.clock` acts as in plain Playwright, on the pages of its own job only, and the next job's page has none."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from pw_runner.bundles import handler
from pw_runner.site import SiteAnswer
from pw_runner.supervisor import Supervisor

from pageworker_sandbox.wire import messages as m

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

OPEN = "await page.goto('http://shop.example/p')\n"
# Each returns what is to be 1000, or the value given.
CLOCKS: dict[str, tuple[str, object]] = {
    "fixed": (OPEN + "await page.clock.set_fixed_time(1)\nfound = await page.evaluate('Date.now()')", 1000),
    "before the navigation": (
        "await page.clock.set_fixed_time(1)\n" + OPEN + "found = await page.evaluate('Date.now()')",
        1000,
    ),
    "run for": (
        "await page.clock.install(time=0)\nawait page.clock.pause_at(1)\n"
        + OPEN
        + "await page.evaluate('setTimeout(() => { window.found = Date.now() }, 500)')\n"
        "await page.clock.run_for(1000)\nfound = await page.evaluate('found')",
        1500,
    ),
    "fast forward by a text": (
        "await page.clock.install(time=0)\nawait page.clock.pause_at(1)\n"
        + OPEN
        + "await page.clock.fast_forward('01:00')\nfound = await page.evaluate('Date.now()')",
        61_000,
    ),
    "context": (OPEN + "await page.context.clock.set_fixed_time(1)\nfound = await page.evaluate('Date.now()')", 1000),
    "frame": (
        (
            "await page.clock.set_fixed_time(1)\nawait page.goto('http://shop.example/frame')\n"
            "found = await page.frames[1].evaluate('Date.now()')"
        ),
        1000,
    ),
    "frame of another site": (
        (
            "await page.goto('http://shop.example/frame')\nawait page.clock.set_fixed_time(1)\n"
            "found = await page.frames[1].evaluate('Date.now()')"
        ),
        1000,
    ),
    "popup": (
        OPEN + "await page.clock.set_fixed_time(1)\n"
        "async with page.expect_popup() as opened:\n    await page.evaluate(\"window.open('/p') && 1\")\n"
        "found = await (await opened.value).evaluate('Date.now()')",
        1000,
    ),
    "another page": (
        (
            "await page.clock.set_fixed_time(1)\nother = await page.context.new_page()\n"
            "await other.goto('http://shop.example/p')\nfound = await other.evaluate('Date.now()')"
        ),
        1000,
    ),
    "page that was there": (
        (
            "other = await page.context.new_page()\nawait page.clock.set_fixed_time(1)\n"
            "await other.goto('http://shop.example/p')\nfound = await other.evaluate('Date.now()')"
        ),
        1000,
    ),
    "resume": (
        "await page.clock.install(time=0)\nawait page.clock.pause_at(1)\nawait page.clock.resume()\n"
        + OPEN
        + "await page.wait_for_function('Date.now() > 1100')\nfound = 1000",
        1000,
    ),
    "invalid": (
        "try:\n    await page.clock.install(time='yesterday')\nexcept Exception as error:\n    found = str(error)",
        "Clock.install: Invalid date: yesterday",
    ),
    "past": (
        (
            "await page.clock.install(time=100)\n"
            "try:\n    await page.clock.pause_at(1)\nexcept Exception as error:\n    found = 'past' in str(error)"
        ),
        True,
    ),
}
LOOK = handler(
    OPEN + "return {'guid': page._impl_obj._guid, 'clock': await page.evaluate('typeof __pwClock'), "
    "'late': await page.evaluate('Date.now() > 1.7e12'), "
    "'native': await page.evaluate(\"Date.toString().includes('native code')\")}",
    name="look",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def runner() -> AsyncIterator[Supervisor]:
    supervisor = await Supervisor(pages=1).start()
    answers(supervisor)
    yield supervisor
    await supervisor.close()


def answers(supervisor: Supervisor) -> None:
    supervisor.site.pages["/p"] = SiteAnswer("<title>shop</title>")
    supervisor.site.pages["/frame"] = SiteAnswer("<iframe src='http://other.example/p'></iframe>")


@pytest.mark.parametrize("name", CLOCKS)
async def test_it_acts_as_in_plain_playwright_and_the_next_job_has_none(runner: Supervisor, name: str) -> None:
    before = (await runner.run(LOOK)).data
    body, expected = CLOCKS[name]
    version = f"1.0.{list(CLOCKS).index(name)}"
    report = await runner.run(handler(body + "\nreturn {'found': found}", name="clock", version=version))
    assert report.data == {"found": expected}
    # It is the same page.
    assert (await runner.run(LOOK)).data == before
    assert (before["clock"], before["late"], before["native"]) == ("undefined", True, True)
    assert runner.retired == []


async def test_a_job_at_the_same_time_keeps_its_own_time() -> None:
    runner = await Supervisor(pages=2).start()
    try:
        answers(runner)
        waits = await runner.begin(
            handler(OPEN + "await page.clock.set_fixed_time(1)\nprint('set')\nawait asyncio.sleep(60)", name="waits")
        )
        other = handler(
            "await page.clock.set_fixed_time(2)\n" + OPEN + "return {'now': await page.evaluate('Date.now()')}",
            name="other",
        )
        await runner.until(lambda: runner.reports[waits].logs)
        assert (await runner.run(LOOK)).data["clock"] == "undefined"
        assert (await runner.run(other)).data == {"now": 2000}
        await runner.send(m.Cancel(attempt_id=waits, outcome="cancelled"))
        await runner.finished(waits)
    finally:
        await runner.close()

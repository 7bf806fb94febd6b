"""An error in a listener or a route of a module ends its own job, and no other."""

import textwrap

import pytest
from pw_runner.bundles import handler
from pw_runner.site import SiteAnswer
from pw_runner.supervisor import Supervisor

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

ROUTER = "async def route(route):\n    await route.continue_()\n    raise KeyError('price')\n"
LISTENERS = {
    "listener": "def hear(frame):\n    raise KeyError('price')\npage.on('framenavigated', hear)",
    "async listener": "async def hear(each):\n    raise KeyError('price')\npage.on('domcontentloaded', hear)",
    "listener of the context": "def hear(response):\n    raise KeyError('price')\npage.context.on('response', hear)",
    "route handler": ROUTER + "await page.route('**/p', route)",
    "route handler of the context": ROUTER + "await page.context.route('**/p', route)",
}


@pytest.mark.parametrize("listener", LISTENERS)
async def test_an_error_in_a_listener_is_raised_at_the_next_call(runner: Supervisor, listener: str) -> None:
    runner.site.pages["/p"] = SiteAnswer("<title>p</title>")
    logged = len(runner.logs)
    goes_on = """
        await page.goto("http://shop.example/p")
        await asyncio.sleep(0)
        try:
            await page.title()
        except KeyError as error:
            return {"raised": str(error), "title": await page.title()}
        return {"raised": None}
    """
    version = f"1.0.{list(LISTENERS).index(listener)}"
    report = await runner.run(handler(LISTENERS[listener] + textwrap.dedent(goes_on), name="goes-on", version=version))
    assert report.data == {"raised": "'price'", "title": "p"}
    (line,) = report.logs
    assert line.level == "error"
    assert line.message.startswith("A listener or route handler raised KeyError: 'price' (job/__init__.py:")
    assert runner.logs[logged:] == []


@pytest.mark.parametrize("listener", LISTENERS)
async def test_an_error_in_a_listener_ends_a_job_that_makes_no_call_after_it(runner: Supervisor, listener: str) -> None:
    runner.site.pages["/p"] = SiteAnswer("<title>p</title>")
    ends = LISTENERS[listener] + "\nawait page.goto('http://shop.example/p')\nawait asyncio.sleep(0)\nreturn {}"
    version = f"1.0.{list(LISTENERS).index(listener)}"
    report = await runner.run(handler(ends, name="ends", version=version))
    assert report.failure.type == "handler_error"
    assert report.failure.message.startswith("KeyError: 'price' (job/__init__.py:")
    assert report.detail["exception"] == "KeyError"
    after = await runner.run(handler("await page.goto('http://shop.example/p')\nreturn {}", name="after"))
    assert (after.data, after.logs) == ({}, [])


async def test_an_error_in_one_jobs_listener_is_not_raised_in_another_job(runner: Supervisor) -> None:
    runner.site.pages["/p"] = SiteAnswer("<h1>x</h1>")
    bad = handler(
        """
        class Mute(Exception):
            def __str__(self):
                return 1 / 0
        def listener(frame):
            raise Mute
        page.on("framenavigated", listener)
        try:
            await page.goto("http://shop.example/p")
            await asyncio.sleep(0.5)
            await page.title()
        except Mute:
            return {"raised": True}
        """,
        name="listens",
    )
    calls = handler(
        "for _ in range(20):\n    await asyncio.sleep(0.05)\n    await page.evaluate('1')\nreturn {}", name="calls"
    )
    attempts = [await runner.begin(bad), await runner.begin(calls)]
    first, second = [await runner.finished(attempt) for attempt in attempts]
    assert (first.data, second.data) == ({"raised": True}, {})
    (line,) = first.logs
    assert line.message.startswith("A listener or route handler raised Mute: (no text: its __str__ raised ZeroDiv")
    assert second.logs == []

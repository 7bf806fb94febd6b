"""Renderers, browsers and drivers that crash, hang, or never answer; versions of modules that are forgotten."""

import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from pw_runner.bundles import handler, pack
from pw_runner.site import SiteAnswer
from pw_runner.supervisor import CHROMIUM, Supervisor

from pageworker_runner.exit_codes import RunnerExit
from pageworker_sandbox.wire import messages as m

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

Start = Callable[..., Awaitable[Supervisor]]
WAITS = handler("await asyncio.get_running_loop().create_future()\nreturn {}", name="waits")
LOOKS = "await page.wait_for_selector('#never', timeout=0)\nreturn {}"
QUICK = handler("return {'title': await page.title()}", name="quick")
MEBIBYTES = 200
BIG = handler(
    "return {}",
    name="big",
    before=f"""
    class Ballast:
        data = bytes(range(256)) * 4096 * {MEBIBYTES}
    """,
)
LOOK = handler(
    """
    import gc, sys
    with open("/proc/self/statm") as statm:
        pages = int(statm.read().split()[1])
    return {
        "modules": [name for name in sys.modules if ".big__" in name],
        "alive": any(getattr(each, "__name__", "") == "Ballast" for each in gc.get_objects()),
        "mebibytes": pages * 4096 // 2**20,
    }
    """,
    name="look",
)


def descendants(pid: int, name: str) -> list[int]:
    """Descendants of `pid` whose command line holds `name`, the nearest first."""
    found: list[int] = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            line = (status.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if parent == pid:
            this = int(status.parent.name)
            found = [*([this] if name.encode() in line else []), *found, *descendants(this, name)]
    return found


def child(pid: int, name: str) -> int:
    """The nearest descendant."""
    return descendants(pid, name)[0]


async def test_a_crashed_page_is_reported_and_replaced_and_its_neighbour_goes_on(start: Start) -> None:
    runner = await start(browser=CHROMIUM)
    neighbour = await runner.begin(WAITS)
    await runner.accepted(neighbour)
    report = await runner.run(handler("await page.goto('chrome://crash')\nreturn {}", name="crashes"))
    assert (report.failure.type, report.failure.retryable) == ("page_crashed", True)
    assert (await runner.run(QUICK)).data == {"title": ""}
    await runner.send(m.Cancel(attempt_id=neighbour, outcome="cancelled"))
    assert (await runner.finished(neighbour)).failure.type == "cancelled"
    assert runner.retired == []


VISITS = handler(
    """
    await page.goto("http://shop.example/")
    return {"page": page._impl_obj._guid}
    """,
    name="visits",
)


async def test_the_tabs_of_a_full_browser_serve_job_after_job(start: Start) -> None:
    """A new tab costs a renderer process, half of what a page costs. Only one of a window's tabs is in front."""
    runner = await start(pages=4, browser=CHROMIUM)
    runner.site.pages["/"] = SiteAnswer("<title>shop</title>")
    served: list[str] = []
    for _ in range(4):
        attempts = [await runner.begin(VISITS) for _ in range(4)]
        served += [(await runner.finished(attempt)).data["page"] for attempt in attempts]
    assert len(served) == 16
    assert len(set(served)) == 4


async def test_pages_that_crash_while_they_are_idle_are_replaced(start: Start) -> None:
    runner = await start(pages=2)
    both = [await runner.begin(WAITS), await runner.begin(WAITS)]
    for attempt in both:
        await runner.accepted(attempt)
        await runner.send(m.Cancel(attempt_id=attempt, outcome="cancelled"))
        await runner.finished(attempt)
    for renderer in descendants(runner.process.pid, "--type=renderer"):
        os.kill(renderer, signal.SIGKILL)
    await runner.until(lambda: len([log for log in runner.logs if "idle page crashed" in log.message]) == 2)
    attempts = [await runner.begin(WAITS), await runner.begin(WAITS)]
    for attempt in attempts:
        await runner.accepted(attempt)


async def test_a_job_may_not_touch_its_neighbours_page(start: Start) -> None:
    runner = await start(pages=2)
    await runner.accepted(await runner.begin(WAITS))
    touches = (
        "other = next(each for each in page.context._impl_obj._pages if each is not page._impl_obj)\n"
        "await other.title()\nreturn {}"
    )
    report = await runner.run(handler(touches, name="touches"))
    assert report.failure.type == "refused"


async def test_a_handler_that_only_waits_ends_when_its_page_crashes(start: Start) -> None:
    runner = await start()
    body = """
        session = await page.context.new_cdp_session(page)
        asyncio.get_running_loop().create_task(session.send("Page.crash"))
        await asyncio.get_running_loop().create_future()
    """
    report = await runner.run(handler(body, name="crashes"))
    assert report.failure.type == "page_crashed"


@pytest.mark.parametrize("victim", ["chromium-headless-shell", "run-driver"])
async def test_a_dead_browser_or_driver_ends_all_attempts_and_the_runner(start: Start, victim: str) -> None:
    runner = await start()
    attempts = [await runner.begin(WAITS), await runner.begin(handler(LOOKS, name="looks"))]
    for attempt in attempts:
        await runner.accepted(attempt)
    os.kill(child(runner.process.pid, victim), signal.SIGKILL)
    for attempt in attempts:
        report = await runner.done(attempt)
        assert (report.failure.type, report.failure.retryable) == ("browser_crashed", True)
    assert await runner.exited() == RunnerExit.BROWSER_LOST


async def test_a_dead_browser_ends_the_runner_even_if_the_driver_does_not_report_it(start: Start) -> None:
    runner = await start()
    attempt = await runner.begin(handler(LOOKS, name="looks"))
    await runner.accepted(attempt)
    driver = child(runner.process.pid, "run-driver")
    os.kill(driver, signal.SIGSTOP)
    try:
        os.kill(child(driver, "chromium-headless-shell"), signal.SIGKILL)
        assert (await runner.done(attempt)).failure.type == "browser_crashed"
        assert await runner.exited() == RunnerExit.BROWSER_LOST
    finally:
        # A stopped process outlives its parent, and here is no namespace to take it along.
        os.kill(driver, signal.SIGKILL)


async def test_a_page_that_never_closes_retires_the_runner(start: Start) -> None:
    runner = await start(recycle_seconds=0.5)
    browser = child(runner.process.pid, "chromium-headless-shell")
    attempt = await runner.begin(WAITS)
    await runner.accepted(attempt)
    os.kill(browser, signal.SIGSTOP)
    try:
        await runner.send(m.Cancel(attempt_id=attempt, outcome="timed_out"))
        assert (await runner.done(attempt)).failure.type == "timed_out"
        await runner.finished(attempt)
        assert runner.retired == ["a page could not be replaced: TimeoutError"]
        await runner.ping()
    finally:
        os.kill(browser, signal.SIGCONT)


async def test_it_asks_to_be_retired_after_its_jobs(start: Start) -> None:
    runner = await start(max_jobs=2)
    await runner.run(QUICK)
    assert runner.retired == []
    await runner.run(QUICK)
    assert runner.retired == ["served 2 jobs"]
    assert (await runner.run(QUICK)).data == {"title": ""}


async def test_a_supervisor_that_is_gone_ends_the_runner(start: Start) -> None:
    runner = await start()
    runner.channel.close()
    assert await runner.wait() == RunnerExit.CHANNEL_LOST


async def test_a_message_out_of_place_ends_the_runner(start: Start) -> None:
    runner = await start()
    await runner.send(
        m.Boot(protocol=1, runner_id="r", worker_id="w", tenant_id="t", persistent=True, pages=1, browser="/x"),
        runner.failures[:1],
    )
    assert await runner.exited() == RunnerExit.CHANNEL_LOST


async def test_a_browser_that_does_not_start_is_reported(start: Start) -> None:
    with pytest.raises(AssertionError, match="not started: browser: "):
        await start(browser=Path("/usr/bin/true"))


async def test_a_busy_loop_in_python_stops_the_pongs_until_it_ends(start: Start) -> None:
    runner = await start()
    runner.site.pages["/p"] = SiteAnswer("")
    body = """
        import time
        until = time.monotonic() + 0.7
        while time.monotonic() < until:
            pass
        return {}
    """
    attempt = await runner.begin(handler(body, name="busy"))
    await runner.accepted(attempt)
    await runner.send(m.Ping(number=10**6))
    assert 10**6 not in runner._pongs
    await runner.finished(attempt)
    await runner.ping()


async def test_a_forgotten_version_leaves_neither_modules_nor_memory(runner: Supervisor) -> None:
    assert (await runner.run(BIG)).data == {}
    before = (await runner.run(LOOK)).data
    assert before["alive"]
    assert before["modules"]
    await runner.forget(BIG)
    after = (await runner.run(LOOK)).data
    assert (after["modules"], after["alive"]) == ([], False)
    assert before["mebibytes"] - after["mebibytes"] >= MEBIBYTES * 0.9
    assert (await runner.run(BIG)).data == {}, "a version that is sent again works again"


async def test_an_attempt_keeps_the_version_it_runs(runner: Supervisor) -> None:
    """The Forget is read right behind the Run, before the handler begins: only their order protects the attempt."""
    body = """
        import asyncio, builtins
        async def handler(page, payload, helpers, context):
            builtins.go_on = asyncio.Event()
            helpers.log.info("begun")
            await builtins.go_on.wait()
            import slow.late
            return {"late": slow.late.VALUE}
    """
    slow = pack({"slow/__init__.py": body, "slow/late.py": "VALUE = 1"}, name="slow", entrypoint="slow:handler")
    go_on = handler("import builtins\nbuiltins.go_on.set()\nreturn {}", name="go_on")
    attempt = await runner.begin(slow)
    await runner.forget(slow)
    await runner.until(lambda: runner.reports[attempt].logs)
    assert (await runner.run(go_on)).data == {}
    assert (await runner.finished(attempt)).data == {"late": 1}


async def test_a_run_of_a_version_that_is_not_loaded_is_a_broken_module(runner: Supervisor) -> None:
    module = handler("return {}", name="gone")
    await runner.run(module)
    await runner.send(m.Forget(name=module.name, version=module.version))
    report = await runner.run(module)
    assert (report.failure.type, report.failure.message) == ("module_broken", "gone@1.0.0 was not sent to this runner")

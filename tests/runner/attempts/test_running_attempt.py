"""The last check before a handler begins: whether it still may."""

import time

import pytest
from pw_runner.bundles import handler
from pw_runner.supervisor import Supervisor

from pageworker_sandbox.wire import messages as m

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

WAITS = "await asyncio.get_running_loop().create_future()\nreturn {}"
SAYS = "helpers.log.info('begun')\nreturn {}"


def boot_seconds() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


async def test_a_handler_does_not_begin_after_its_time_and_its_page_stays_usable(runner: Supervisor) -> None:
    for _ in range(3):
        report = await runner.run(handler(SAYS, name="late"), begin_before=boot_seconds() - 0.001)
        assert report.done is not None
        assert report.done.outcome == "expired"
        assert report.accepted is None
        assert (report.logs, report.artifacts) == ([], [])
    report = await runner.run(handler(SAYS, name="timely"), begin_before=boot_seconds() + 60)
    assert report.data == {}
    assert report.accepted is not None


async def test_a_handler_that_is_stopped_before_it_begins_does_not(runner: Supervisor) -> None:
    """Both pages are taken, so it waits for one when the cancel comes."""
    taken = [await runner.begin(handler(WAITS, name="waits")) for _ in range(2)]
    for attempt in taken:
        await runner.accepted(attempt)
    stopped = await runner.begin(handler(SAYS, name="stopped"))
    for attempt in (stopped, *taken):
        await runner.send(m.Cancel(attempt_id=attempt, outcome="cancelled"))
    report = await runner.finished(stopped)
    assert report.done is not None
    assert report.done.outcome == "cancelled"
    assert report.accepted is None
    assert (report.logs, report.artifacts) == ([], [])
    for attempt in taken:
        await runner.finished(attempt)
    assert (await runner.run(handler(SAYS, name="next"))).data == {}

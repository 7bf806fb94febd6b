"""One attempt: whether its handler may begin, how its handler can end, and what the handler may store."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from pw_doubles import any_typed
from pw_runner.bundles import handler
from pw_runner.site import SiteAnswer
from pw_runner.supervisor import Supervisor

from pageworker_runner.attempts.attempt_files import AttemptFiles
from pageworker_runner.attempts.running_attempt import RunningAttempt
from pageworker_runner.errors import OutputLimit
from pageworker_runner.limits import LIMITS
from pageworker_runner.modules.catalog import ModuleVersion
from pageworker_runner.reporting.reporter import Reporter
from pageworker_sandbox.memfd import read_sealed
from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.profile_report import ProfileReport

pytestmark = pytest.mark.asyncio(loop_scope="module")

WAITS = "await asyncio.get_running_loop().create_future()\nreturn {}"
SAYS = "helpers.log.info('begun')\nreturn {}"
RUN = m.Run(
    attempt_id="a-1",
    job_id="j",
    tenant_id="acme",
    profile_id=None,
    module="m",
    version="1.0.0",
    payload=b"{}",
    attempt=1,
    timeout_seconds=60.0,
    trace_id="0" * 32,
)
BOOT = m.Boot(
    protocol=m.PROTOCOL, runner_id="r", worker_id="w", tenant_id="acme", persistent=False, pages=1, browser="/x"
)


def boot_seconds() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


async def test_a_handler_reads_the_flags_of_its_job_and_cannot_change_them(runner: Supervisor) -> None:
    code = (
        "try:\n    context.flags['b'] = True\nexcept TypeError:\n    pass\n"
        "return {'a': context.flags['a'], 'b': context.flags['b'], 'c': context.flags.get('c', 'none')}"
    )
    report = await runner.run(handler(code, name="flags"), flags={"a": True, "b": False})
    assert report.data == {"a": True, "b": False, "c": "none"}
    report = await runner.run(handler("return {'flags': dict(context.flags)}", name="none"))
    assert report.data == {"flags": {}}


async def test_what_a_handler_finds_of_its_profile_leaves_with_its_result(runner: Supervisor) -> None:
    runner.site.pages["/login"] = SiteAnswer("<h1>log in</h1>")
    code = """
        helpers.profile_state("authenticated")
        await page.goto("http://shop.example/login?token=x")
        helpers.profile_state("needs_human", text="code sent")
        raise Failed("no code")
    """
    finds = handler(code, name="finds")
    done = (await runner.run(finds, profile_id="buyer")).done
    assert done is not None
    assert done.outcome == "failed"
    assert done.profile == ProfileReport(
        state="needs_human", evidence={"text": "code sent"}, url="http://shop.example/login"
    )
    done = (await runner.run(finds)).done
    assert done is not None
    assert done.profile is None, "a job without a profile"


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


async def test_an_attempt_out_of_time_says_where_it_was(runner: Supervisor) -> None:
    body = "await page.wait_for_selector('#never', timeout=60_000)"
    report = await runner.run(handler(body, name="slow"), timeout_seconds=0.5)
    assert report.done is not None
    assert report.done.outcome == "timed_out"
    assert "did not finish within 0.5 s: it was in Page.wait_for_selector, at " in report.failure.message
    detail = msgspec.msgpack.decode(report.failure.detail)
    assert detail["call"] == "Page.wait_for_selector"
    assert detail["trace"][-1].endswith("in handler")


async def test_a_call_gives_up_before_the_attempts_time_is_over_and_says_what_it_waited_for(
    runner: Supervisor,
) -> None:
    report = await runner.run(handler("await page.wait_for_selector('#never')", name="calls"), timeout_seconds=2)
    assert report.done is not None
    assert (report.done.outcome, report.failure.type) == ("timed_out", "timeout")
    assert 'waiting for locator("#never") to be visible' in report.failure.message


async def test_a_navigation_without_an_answer_is_stopped_and_its_page_stays_usable(runner: Supervisor) -> None:
    runner.site.pages["/held"] = SiteAnswer(held=True)
    runner.site.pages["/p"] = SiteAnswer("<h1>x</h1>")
    held = handler("await page.goto('http://shop.example/held')\nreturn {}", name="held")
    report = await runner.run(held, timeout_seconds=0.5)
    assert (report.failure.type, report.failure.retryable) == ("timeout", True)
    assert 'navigating to "http://shop.example/held"' in report.failure.message
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
        global kept
        kept = asyncio.get_running_loop().create_task(later())
        await page.evaluate("1")
        return {}
    """
    await runner.run(handler(body, name="leaves"))
    check = "return {'left': sum(task.get_coro().__name__ == 'later' for task in asyncio.all_tasks())}"
    assert (await runner.run(handler(check, name="checks"))).data == {"left": 0}


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


class GrantingQueue:
    """A send queue whose supervisor grants every offer, or none."""

    def __init__(self) -> None:
        self.offers: list[m.Offer] = []
        self.data: list[bytes] = []
        self.grants = True
        self.attempt: RunningAttempt

    def put(self, message: m.Message, descriptors: Any = ()) -> None:
        if isinstance(message, m.Offer):
            self.offers.append(message)
            if self.grants:
                self.attempt.granted(message.number)
        for descriptor in descriptors:
            self.data.append(read_sealed(descriptor, m.MAX_ARTIFACT_BYTES))
            os.close(descriptor)

    async def until_sent(self) -> None:
        return


@pytest_asyncio.fixture(loop_scope="module")
async def queue() -> GrantingQueue:
    untyped = any_typed(queue := GrantingQueue())
    queue.attempt = RunningAttempt(
        *(RUN, ModuleVersion("", "m@1.0.0", "m:handler"), BOOT, Reporter(untyped), untyped, untyped, untyped),
        AttemptFiles(),
    )
    return queue


async def test_bytes_are_offered_and_handed_over(queue: GrantingQueue) -> None:
    await queue.attempt.artifact("invoice", b"x" * 1000, "application/pdf")
    assert [(offer.attempt_id, offer.number, offer.bytes) for offer in queue.offers] == [("a-1", 1, 1000)]
    assert queue.data == [b"x" * 1000]


async def test_bytes_stay_until_their_own_offer_is_granted(queue: GrantingQueue) -> None:
    queue.grants = False
    async with asyncio.TaskGroup() as tasks:
        storing = tasks.create_task(queue.attempt.artifact("invoice", b"x", "text/plain"))
        await asyncio.sleep(0)
        queue.attempt.granted(7)
        await asyncio.sleep(0)
        assert queue.data == []
        queue.attempt.granted(1)
        await storing
    assert queue.data == [b"x"]


@pytest.mark.parametrize("kind", ["", "Invoice", "BAD KIND", "invoice\n", "1st", "x" * 64])
async def test_an_invalid_kind_is_refused_with_an_example(queue: GrantingQueue, kind: str) -> None:
    with pytest.raises(ValueError, match=r"is not a valid kind of artifact: .* such as `invoice`"):
        await queue.attempt.artifact(kind, b"x", "text/plain")
    assert queue.offers == []


@pytest.mark.parametrize("content_type", ["", "text", "text/plain\n", "Text/plain"])
async def test_an_invalid_content_type_is_refused_with_an_example(queue: GrantingQueue, content_type: str) -> None:
    with pytest.raises(ValueError, match="is not a valid content type: use one such as"):
        await queue.attempt.artifact("invoice", b"x", content_type)


async def test_each_limit_names_both_amounts(queue: GrantingQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OutputLimit, match="An artifact may have at most 33554432 bytes") as caught:
        await queue.attempt.artifact("a", bytes(m.MAX_ARTIFACT_BYTES + 1), "text/plain")
    assert (caught.value.used, caught.value.allowed, caught.value.unit) == (2**25 + 1, 2**25, "bytes")
    for _ in range(3):
        await queue.attempt.artifact("a", bytes(m.MAX_ARTIFACT_BYTES), "text/plain")
    with pytest.raises(OutputLimit, match="All artifacts of an attempt together") as caught:
        await queue.attempt.artifact("a", b"x", "text/plain")
    assert (caught.value.used, caught.value.allowed) == (LIMITS.artifacts_bytes + 1, LIMITS.artifacts_bytes)


async def test_the_number_of_artifacts_is_limited(queue: GrantingQueue) -> None:
    for _ in range(LIMITS.artifacts):
        await queue.attempt.artifact("a", b"", "text/plain")
    with pytest.raises(OutputLimit, match="at most 64 artifacts") as caught:
        await queue.attempt.artifact("a", b"", "text/plain")
    assert (caught.value.used, caught.value.allowed, caught.value.unit) == (65, 64, "artifacts")


async def test_an_attempt_that_is_closed_stores_nothing_and_ends_what_waits(queue: GrantingQueue) -> None:
    queue.grants = False
    loop = asyncio.get_running_loop()
    waiting = loop.create_task(queue.attempt.artifact("a", b"x", "text/plain"))
    await asyncio.sleep(0)
    queue.attempt.close()
    with pytest.raises(ValueError, match="ended before its artifact was accepted"):
        await waiting
    with pytest.raises(ValueError, match="The attempt has ended"):
        await queue.attempt.artifact("a", b"x", "text/plain")
    assert queue.data == []

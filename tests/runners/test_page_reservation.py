"""A page reservation has one owner at a time: the block that reserved it, then the runner that uses it."""

import asyncio
import time
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from pw_doubles import any_typed
from pw_proxies import policies

from pageworker_sandbox import memfd
from pageworker_sandbox.egress.shared_counts import BudgetName
from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.errors import OutputExceeded
from pageworker_sandbox.wire.profile_report import PROBE_SECONDS, ProfileReport
from pageworker_supervisor.config.egress_budget import NO_BUDGET, EgressBudget
from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.contract.traffic import NO_TRAFFIC, Traffic
from pageworker_supervisor.runners.budget_breach import BudgetBreach
from pageworker_supervisor.runners.limit_breach import Breach
from pageworker_supervisor.runners.page_reservation import (
    RECYCLING_SLACK_SECONDS,
    RECYCLINGS,
    PageReservation,
    RunnerPages,
)
from pageworker_supervisor.runners.runner_traffic import RunnerTraffic
from pageworker_supervisor.telemetry import log

RUNNER = any_typed(object())
DONE = m.Done(attempt_id="a", outcome="succeeded")
MEMORY = Breach("memory_limit", 110, 100, "bytes")
FILES = Breach("disk_limit", 110, 100, "files")


async def test_a_probe_after_the_job_has_its_time_and_tells_what_it_found(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = RunnerPages(lambda: None)
    found: list[ProfileReport] = []
    page = pages.reserve(RUNNER, exclusive=False)
    page.send(lambda: None, found.append)
    pages.begin("a", page, 0, log)
    pages.end(DONE)
    late = time.monotonic() + RECYCLINGS * 1.0 + RECYCLING_SLACK_SECONDS
    for seconds, overdue in ((PROBE_SECONDS - 0.5, None), (PROBE_SECONDS + 0.5, "a")):
        with monkeypatch.context() as patched:
            patched.setattr(time, "monotonic", partial(float, late + seconds))
            assert pages.overdue(1.0) == overdue
    report = ProfileReport(state="needs_login")
    pages.free("a", report)
    assert found == [report]


class CountedPages(RunnerPages):
    """Pages, and how often one was released."""

    def __init__(self) -> None:
        self.releases = 0
        super().__init__(self._count)

    def _count(self) -> None:
        self.releases += 1


async def test_a_page_that_no_attempt_used_is_released_at_the_end_of_the_block() -> None:
    pages = CountedPages()
    with pages.reserve(RUNNER, exclusive=False):
        assert (pages.taken, pages.releases) == (1, 0)
    assert (pages.taken, pages.releases) == (0, 1)


async def test_an_error_in_the_block_releases_the_page_too() -> None:
    pages = CountedPages()
    with pytest.raises(LookupError), pages.reserve(RUNNER, exclusive=False):
        raise LookupError
    assert (pages.taken, pages.releases) == (0, 1)


async def test_a_page_that_an_attempt_uses_stays_taken_until_it_is_clean() -> None:
    pages = CountedPages()
    with pages.reserve(RUNNER, exclusive=False) as page:
        pages.begin("a", page, 0, log)
    assert (pages.taken, pages.releases, list(pages.running)) == (1, 0, ["a"])
    pages.end(DONE)
    assert (pages.taken, pages.running, await page.done) == (1, {}, DONE)
    pages.free("a")
    assert (pages.taken, pages.releases) == (0, 1)


async def test_what_the_browser_blocked_for_a_job_is_in_the_jobs_log() -> None:
    pages = CountedPages()
    records: list[Any] = []
    handler = log.add(lambda message: records.append(message.record))
    counts: dict[m.BlockedKind, int] = {"image": 3, "host": 1}
    for attempt, blocked in (("a", counts), ("b", {})):
        page = pages.reserve(RUNNER, exclusive=False)
        pages.begin(attempt, page, 0, log.bind(job=f"acme/{attempt}"))
        pages.end(m.Done(attempt_id=attempt, outcome="succeeded", blocked=blocked))
    log.remove(handler)
    told = [(each["message"], each["extra"]) for each in records]
    assert told == [("requests blocked", {"job": "acme/a", "image": 3, "host": 1})]


async def test_a_page_cannot_be_released_twice() -> None:
    pages = CountedPages()
    page = pages.reserve(RUNNER, exclusive=False)
    page.release()
    with pytest.raises(KeyError):
        page.release()
    assert pages.releases == 1


async def test_a_runner_is_exclusive_as_long_as_an_exclusive_page_is_taken() -> None:
    pages = CountedPages()
    with pages.reserve(RUNNER, exclusive=True), pages.reserve(RUNNER, exclusive=False):
        assert pages.exclusive
    assert not pages.exclusive


async def test_an_exclusive_job_waits_until_the_other_pages_are_free() -> None:
    pages = CountedPages()
    others = [pages.reserve(RUNNER, exclusive=False) for _ in range(2)]
    with pages.reserve(RUNNER, exclusive=True) as page:
        async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(page.wait_until_exclusive())
            for other in others:
                await asyncio.sleep(0)
                assert not waiting.done()
                other.release()
        assert pages.taken == 1


async def test_a_page_that_is_recycled_for_too_long_is_overdue(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    pages = CountedPages()
    page = pages.reserve(RUNNER, exclusive=False)
    pages.begin("a", page, 0, log)
    now += 1000.0
    assert pages.overdue(1.0) is None, "a handler may run as long as it may"
    pages.end(DONE)
    assert (pages.recycled_within(2.0), pages.overdue(1.0)) == (1, None)
    now += RECYCLINGS + RECYCLING_SLACK_SECONDS
    assert (pages.recycled_within(2.0), pages.overdue(1.0)) == (0, None)
    now += 0.1
    assert pages.overdue(1.0) == "a"


@pytest.mark.parametrize(
    ("count", "recycling", "before", "breach", "alone"),
    [
        (1, 0, 0, MEMORY, True),
        (1, 0, 50, MEMORY, True),
        (1, 0, 51, MEMORY, False),
        (1, 0, 51, FILES, True),
        (2, 0, 0, MEMORY, False),
        (0, 0, 0, MEMORY, False),
        (1, 1, 0, FILES, False),
    ],
)
async def test_one_attempt_is_blamed_only_where_it_must_have_been_it(
    count: int, recycling: int, before: int, breach: Breach, alone: bool
) -> None:
    """It was alone on the runner; no page of an earlier attempt is being recycled; less than half of the memory was
    used."""
    pages = CountedPages()
    for number in range(count + recycling):
        pages.begin(f"a-{number}", pages.reserve(RUNNER, exclusive=False), before, log)
    for number in range(count, count + recycling):
        pages.end(m.Done(attempt_id=f"a-{number}", outcome="succeeded"))
    assert pages.alone(breach) is alone


def handed_over(page: PageReservation, count: int, size: int) -> None:
    """So many artifacts of this size have come from the runner."""
    for number in range(count):
        page.offer(m.Offer(attempt_id="a", number=number, bytes=size))
        page.deliver(m.ArtifactData(attempt_id="a", kind="k", content_type="a/b"), memfd.seal(bytes(size), "k"))


@pytest.mark.parametrize(
    ("count", "size", "unit"), [(m.MAX_ARTIFACTS, 1, "artifacts"), (7, m.MAX_ARTIFACT_BYTES, "bytes")]
)
async def test_an_attempt_leaves_no_more_than_its_share_whatever_its_runner_offers(
    count: int, size: int, unit: str
) -> None:
    """The runner keeps the same bounds by itself, but module code may have taken it over."""
    pages = CountedPages()
    with pages.reserve(RUNNER, exclusive=False) as page:
        pages.begin("a", page, 0, log)
        handed_over(page, count, size)
        with pytest.raises(OutputExceeded, match=unit):
            page.offer(m.Offer(attempt_id="a", number=count, bytes=1))
        page.discard()


async def test_an_attempt_keeps_what_its_runner_used_until_it_ended() -> None:
    """Whether it answered or was lost. What comes later is not its own."""
    counts = [(0, 0, 0)]
    traffic = RunnerTraffic("acme")
    traffic.read_from(lambda: counts[0])
    pages = RunnerPages(lambda: None, traffic)
    answered, lost = (pages.reserve(RUNNER, exclusive=False) for _ in range(2))
    assert answered.traffic == NO_TRAFFIC
    pages.begin("a", answered, 0, log)
    counts[0] = (1, 10, 100)
    assert answered.traffic == Traffic(1, bytes_in=100, bytes_out=10)
    pages.begin("b", lost, 0, log)
    counts[0] = (3, 30, 300)
    pages.end(DONE)
    counts[0] = (4, 40, 400)
    lost.done.add_done_callback(lambda done: done.exception())
    pages.lose(LookupError())
    counts[0] = (9, 90, 900)
    pages.lose(LookupError())
    assert answered.traffic == Traffic(2, bytes_in=200, bytes_out=20)
    assert lost.traffic == Traffic(2, bytes_in=200, bytes_out=20)
    assert traffic.ledger.unattributed == Traffic()


async def test_the_queue_call_of_an_attempt_ends_its_account_before_its_runner_answers() -> None:
    """A handler that did not stop is killed later: what it uses until then is in no result."""
    counts = [(0, 0, 0)]
    traffic = RunnerTraffic("acme")
    traffic.read_from(lambda: counts[0])
    pages = RunnerPages(lambda: None, traffic)
    page = pages.reserve(RUNNER, exclusive=False)
    pages.begin("a", page, 0, log)
    counts[0] = (1, 10, 100)
    page.end_traffic()
    counts[0] = (2, 20, 200)
    page.end_traffic()
    pages.end(DONE)
    assert page.traffic == Traffic(1, bytes_in=100, bytes_out=10)
    traffic.look()
    assert traffic.ledger.unattributed == Traffic(1, bytes_in=100, bytes_out=10)


async def test_a_job_past_its_budget_is_told_with_what_earlier_attempts_used() -> None:
    """Read when the attempt ends: later the runner has the budget of another attempt."""
    turns: list[tuple[str, EgressBudget]] = []

    async def take_turn(attempt: str, budget: EgressBudget) -> None:
        turns.append((attempt, budget))

    exceeded: list[BudgetName | None] = ["bytes"]
    traffic = RunnerTraffic("acme")
    traffic.read_from(lambda: (2, 10, 60), lambda: exceeded[0])
    runner = any_typed(
        SimpleNamespace(context=ContextKey("acme", one_page=True), route=SimpleNamespace(take_turn=take_turn))
    )
    pages = RunnerPages(lambda: None, traffic)
    traffic.look()
    page = pages.reserve(runner, exclusive=False)
    await page.begin_route("j/2", policies(), EgressBudget(100, 9), Traffic(4, bytes_in=30, bytes_out=5))
    assert turns == [("j/2", EgressBudget(65, 5))]
    pages.begin("a", page, 0, log)
    traffic.read_from(lambda: (3, 15, 120), lambda: exceeded[0])
    pages.end(DONE)
    exceeded[0] = None
    assert page.budget_breach == BudgetBreach("bytes", 100, 100)


async def test_a_runner_without_policy_and_budget_gets_no_turn() -> None:
    runner = any_typed(SimpleNamespace(context=ContextKey("acme")))
    page = RunnerPages(lambda: None).reserve(runner, exclusive=False)
    await page.begin_route("j/1", policies(), NO_BUDGET, NO_TRAFFIC)
    page.end_traffic()
    assert page.budget_breach is None

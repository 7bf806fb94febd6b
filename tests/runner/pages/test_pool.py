"""The page pool, without a browser: who gets which page when, and what happens to pages that cannot be cleaned."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from playwright._impl._async_base import mapping
from pw_doubles import any_typed
from pw_runner.fake_browser import FakeContext, callbacks_restored

from pageworker_runner.errors import CleaningFailed, PageLost
from pageworker_runner.limits import LIMITS
from pageworker_runner.pages import pool as pool_module
from pageworker_runner.pages.page_state import PageState
from pageworker_runner.pages.pool import PagePool, PagePoolSettings
from pageworker_runner.pages.slot import PageSlot
from pageworker_runner.reporting.reporter import Reporter
from pageworker_runner.task_ownership import Tasks
from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.page_options import PageOptions


class Harness:
    """A pool of fake pages. `clean` and `wipe` do what the test says."""

    def __init__(self) -> None:
        self.context = FakeContext()
        self.sent: list[Any] = []
        self.crashed: list[str] = []
        self.cleaning: list[Exception | None] = []
        """What the next cleanings raise; without an entry they succeed."""
        self.hold = asyncio.Event()
        """Cleanings wait for it."""
        self.hold.set()
        self.wiped: list[list[PageState]] = []
        self.pool: PagePool

    async def clean(self, warm: Any, effects: Any, options: Any) -> None:
        await self.hold.wait()
        if self.cleaning and (error := self.cleaning.pop(0)) is not None:
            raise error

    async def wipe(self, context: Any, devtools: Any, options: Any) -> None:
        self.wiped.append([slot.state for slot in self.pool._slots])

    @property
    def retired(self) -> list[str]:
        return [message.reason for message in self.sent if isinstance(message, m.Retire)]

    @property
    def warnings(self) -> list[str]:
        return [message.message for message in self.sent if isinstance(message, m.LogLine)]

    async def attempt(self, name: str) -> PageSlot:
        """Reserve a page and start on it."""
        slot = await self.pool.reserve(name)
        self.pool.start(slot)
        return slot

    async def end(self, slot: PageSlot) -> None:
        """The attempt's result is sent; its page is recycled."""
        self.pool.finish(slot)
        await self.pool.recycle(slot)


class Queue:
    """A send queue that keeps its messages."""

    def __init__(self, sent: list[Any]) -> None:
        self._sent = sent

    def put(self, message: m.Message, descriptors: Any = ()) -> None:
        self._sent.append(message)


@pytest.fixture
async def pools(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    harness = Harness()
    monkeypatch.setattr(pool_module, "clean", harness.clean)
    monkeypatch.setattr(pool_module, "wipe", harness.wipe)

    @asynccontextmanager
    async def opened(**given: Any) -> AsyncIterator[Harness]:
        settings = {
            "pages": 2,
            "persistent": True,
            "recycle_seconds": 0.2,
            "max_jobs": 100,
            "default_timeout_seconds": 7,
            "options": PageOptions(),
        }
        context = any_typed(harness.context)
        queue = any_typed(Queue(harness.sent))
        errors: list[BaseException] = []
        async with asyncio.TaskGroup() as group:
            harness.pool = PagePool(
                context,
                PagePoolSettings(**{**settings, **given}),
                Tasks(group, errors.append),
                Reporter(queue),
                harness.crashed.append,
            )
            await harness.pool.fill()
            yield harness
        assert errors == []

    with callbacks_restored():
        yield opened


async def test_it_opens_a_page_for_each_job_beside_the_one_that_the_browser_starts_with(pools: Any) -> None:
    async with pools(pages=3) as harness:
        assert len(harness.context.pages) == 1
        slots = [await harness.pool.reserve("a-0")]
        assert len(harness.context.pages) == 1, "the first job has the browser's own page"
        slots += [await harness.pool.reserve(f"a-{number}") for number in (1, 2)]
        assert [slot.index for slot in slots] == [0, 1, 2]
        assert len(harness.context.pages) == 3
        assert harness.pool.running() == {slot.warm.guid: slot.attempt for slot in slots}


async def test_jobs_at_the_same_moment_have_a_page_each_and_no_more_are_opened_than_the_settings_say(
    pools: Any,
) -> None:
    async with pools(pages=3, recycle_seconds=5) as harness:
        async with asyncio.TaskGroup() as tasks:
            reserving = [tasks.create_task(harness.pool.reserve(f"a-{number}")) for number in range(4)]
            late = set(reserving)
            while len(late) > 1:
                _, late = await asyncio.wait(late, return_when=asyncio.FIRST_COMPLETED)
            first = next(each.result() for each in reserving if each.done())
            harness.pool.start(first)
            await harness.end(first)
        assert sorted(slot.index for slot in harness.pool._slots) == [0, 1, 2]
        assert len(harness.context.pages) == 3


async def test_a_page_that_cannot_be_opened_retires_the_runner(pools: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async with pools(pages=2, recycle_seconds=0.01) as harness:
        await harness.attempt("a-1")

        async def never() -> None:
            await asyncio.get_running_loop().create_future()

        monkeypatch.setattr(harness.context, "new_page", never)
        with pytest.raises(PageLost):
            await harness.pool.reserve("a-2")
        assert harness.retired == ["a page could not be opened: TimeoutError"]


async def test_a_page_that_crashes_while_it_is_opened_is_replaced(pools: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async with pools(pages=2) as harness:
        await harness.attempt("a-1")
        original = harness.pool._warm

        async def crashing(index: int, page: Any) -> Any:
            warm = await original(index, page)
            if not harness.warnings and not warm.crashed:
                page.crash()
            return warm

        monkeypatch.setattr(harness.pool, "_warm", crashing)
        harness.cleaning.append(CleaningFailed("it crashed"))
        slot = await harness.pool.reserve("a-2")
        assert not slot.warm.crashed
        assert "an idle page crashed and is replaced" in harness.warnings


async def test_an_attempt_waits_until_a_page_is_proved_clean(pools: Any) -> None:
    async with pools(pages=1) as harness:
        slot = await harness.attempt("a-1")
        async with asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(harness.pool.reserve("a-2"))
            harness.hold.clear()
            recycling = tasks.create_task(harness.end(slot))
            await asyncio.sleep(0.02)
            assert not waiting.done()
            assert harness.pool.running() == {}
            harness.hold.set()
            await recycling
            assert (await waiting).attempt == "a-2"


async def test_an_attempt_that_gets_no_page_in_time_loses_it(pools: Any) -> None:
    async with pools(pages=1, recycle_seconds=0.01) as harness:
        await harness.attempt("a-1")
        with pytest.raises(PageLost, match="No page of this runner became free in time"):
            await harness.pool.reserve("a-2")


async def test_a_clean_page_is_kept_and_the_default_timeout_is_set_again(pools: Any) -> None:
    async with pools(pages=1) as harness:
        slot = await harness.attempt("a-1")
        guid = slot.warm.guid
        await harness.end(slot)
        assert (slot.warm.guid, slot.state, slot.attempt) == (guid, PageState.IDLE, None)
        assert harness.context._impl_obj._timeout_settings.default == 7000
        assert harness.sent == []


@pytest.mark.parametrize("error", [CleaningFailed("a dialog is open", expected=True), CleaningFailed("?"), None])
async def test_a_page_that_is_not_proved_clean_is_replaced(pools: Any, error: CleaningFailed | None) -> None:
    async with pools(pages=1, recycle_seconds=0.05) as harness:
        slot = await harness.attempt("a-1")
        guid = slot.warm.guid
        harness.cleaning = [error]
        if error is None:
            harness.hold.clear()
        await harness.end(slot)
        assert slot.warm.guid != guid
        assert [page.guid for page in harness.context.pages] == [slot.warm.guid]
        assert slot.state is PageState.IDLE
        expected = error is not None and error.expected
        assert harness.warnings == ([] if expected else [f"a page is replaced: {error or 'it did not answer in time'}"])
        assert harness.retired == []


async def test_pages_that_are_unclean_without_a_known_reason_retire_the_runner(pools: Any) -> None:
    async with pools(pages=1) as harness:
        for number in range(LIMITS.unclean_pages):
            assert harness.retired == []
            harness.cleaning = [CleaningFailed("event listeners are left")]
            await harness.end(await harness.attempt(f"a-{number}"))
        assert harness.retired == ["5 pages could not be proved clean; the last one: event listeners are left"]


async def test_a_page_that_cannot_be_replaced_either_is_lost_and_retires_the_runner(pools: Any) -> None:
    async with pools(pages=1, recycle_seconds=0.02) as harness:
        slot = await harness.attempt("a-1")
        harness.context.pages[0].hangs = True
        harness.cleaning = [CleaningFailed("it was closed", expected=True)]
        await harness.end(slot)
        assert slot.state is PageState.LOST
        assert harness.retired == ["a page could not be replaced: TimeoutError"]


async def test_an_ephemeral_context_is_wiped_once_after_the_last_of_overlapping_attempts(pools: Any) -> None:
    async with pools(persistent=False) as harness:
        first, second = await harness.attempt("a-1"), await harness.attempt("a-2")
        await harness.end(first)
        assert harness.wiped == []
        third = await harness.attempt("a-3")
        harness.pool.finish(second)
        harness.pool.finish(third)
        await asyncio.gather(harness.pool.recycle(second), harness.pool.recycle(third))
        assert harness.wiped == [[PageState.IDLE, PageState.IDLE]]
        await harness.attempt("a-4")


async def test_no_attempt_starts_before_the_context_is_wiped(pools: Any) -> None:
    async with pools(persistent=False) as harness:
        first = await harness.attempt("a-1")
        harness.pool.finish(first)
        async with asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(harness.pool.reserve("a-2"))
            await asyncio.sleep(0.02)
            assert not waiting.done(), "the other page is idle, but the context holds what a-1 left"
            await harness.pool.recycle(first)
            assert (await waiting).attempt == "a-2"
        assert len(harness.wiped) == 1


async def test_a_persistent_context_is_never_wiped(pools: Any) -> None:
    async with pools(persistent=True) as harness:
        await harness.end(await harness.attempt("a-1"))
        assert harness.wiped == []


async def test_a_page_whose_handler_never_began_is_recycled_too(pools: Any) -> None:
    async with pools(pages=1) as harness:
        slot = await harness.pool.reserve("a-1")
        await harness.end(slot)
        assert slot.state is PageState.IDLE


async def test_the_runner_asks_to_be_retired_with_its_last_job(pools: Any) -> None:
    async with pools(pages=1, max_jobs=2) as harness:
        await harness.end(await harness.attempt("a-1"))
        assert harness.retired == []
        slot = await harness.attempt("a-2")
        assert harness.retired == ["served 2 jobs"]
        await harness.end(slot)


async def test_a_crash_is_reported_to_the_attempt_that_has_the_page(pools: Any) -> None:
    async with pools() as harness:
        await harness.attempt("a-1")
        harness.context.pages[0].crash()
        assert harness.crashed == ["a-1"]
        assert harness.warnings == []


async def test_an_idle_page_that_crashes_is_recycled_by_itself(pools: Any) -> None:
    async with pools(pages=1) as harness:
        harness.cleaning = [CleaningFailed("its renderer crashed", expected=True)]
        (page,) = harness.context.pages
        page.crash()
        slot = await harness.pool.reserve("a-1")
        assert slot.warm.guid != page.guid
        assert harness.crashed == []
        assert harness.warnings == ["an idle page crashed and is replaced"]


async def test_what_a_lone_job_has_set_on_shared_objects_is_set_back(pools: Any) -> None:
    async with pools() as harness:
        slot = await harness.attempt("a-1")
        vars(harness.context._impl_obj)["_bindings"]["left"] = print
        mapping.from_impl(harness.context._impl_obj.request).left = 1
        await harness.end(slot)
        assert harness.context._impl_obj._bindings == {}
        assert not hasattr(mapping.from_impl(harness.context._impl_obj.request), "left")
        assert harness.retired == []


async def test_what_the_client_keeps_of_a_job_retires_the_runner(pools: Any) -> None:
    async with pools() as harness:
        slot = await harness.attempt("a-1")
        vars(harness.context._impl_obj._browser)["_close_reason"] = "done"
        await harness.end(slot)
        assert harness.retired == ["a module changed Browser._close_reason"]


async def test_a_change_beside_a_running_job_retires_the_runner_and_is_not_set_back(pools: Any) -> None:
    async with pools() as harness:
        slot, other = await harness.attempt("a-1"), await harness.attempt("a-2")
        vars(harness.context._impl_obj)["_bindings"]["of either one"] = print
        await harness.end(slot)
        assert harness.retired == []
        mapping.from_impl(harness.context._impl_obj.request).left = 1
        slot = await harness.attempt("a-3")
        await harness.end(slot)
        assert harness.retired == ["a module changed page.context.request.left"]
        assert hasattr(mapping.from_impl(harness.context._impl_obj.request), "left")
        await harness.end(other)
        assert not hasattr(mapping.from_impl(harness.context._impl_obj.request), "left")


async def test_of_pages_that_are_recycled_at_once_the_last_one_sets_back(pools: Any) -> None:
    async with pools() as harness:
        slots = [await harness.attempt("a-1"), await harness.attempt("a-2")]
        mapping.from_impl(harness.context._impl_obj.request).left = 1
        harness.hold.clear()
        ends = asyncio.gather(*(harness.end(slot) for slot in slots))
        await asyncio.sleep(0)
        harness.hold.set()
        await ends
        assert not hasattr(mapping.from_impl(harness.context._impl_obj.request), "left")
        assert harness.retired == []

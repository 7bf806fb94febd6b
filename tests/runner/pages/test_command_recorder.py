"""The recorder: a module's command is passed on and recorded, or refused. The runner's own is only passed on."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.async_api import Error as BrowserError
from pw_doubles import any_typed
from pw_runner.fake_browser import FakeContext, FakeTarget, callbacks_restored

from pageworker_runner.errors import CallRefused
from pageworker_runner.pages.command_recorder import CommandRecorder
from pageworker_runner.pages.side_effects import SideEffect
from pageworker_runner.task_ownership import CURRENT_ATTEMPT, own_work

MINE, NEIGHBOURS, POPUP = (FakeTarget("Page", guid) for guid in ("mine", "neighbours", "popup"))
OWNERS = {"mine": "a-1", "neighbours": "a-2"}
"""Pages of the pool. A popup is none."""


class Driver:
    """A recorder between a client and a driver that the test plays."""

    def __init__(self) -> None:
        context = any_typed(FakeContext())
        self.impl = context._impl_obj
        self.connection = self.impl._connection
        self.opened: list[tuple[str, str]] = []
        self.clock: list[tuple[str, str, Any]] = []
        self.prepared: list[tuple[str, str]] = []
        self.recorder = CommandRecorder(
            context,
            OWNERS.get,
            lambda guid, attempt: self.opened.append((guid, attempt)),
            self.run_clock,
            self.on_page,
        )

    async def run_clock(self, attempt_id: str, method: str, params: Any) -> None:
        self.clock.append((attempt_id, method, params))

    async def on_page(self, guid: str, attempt_id: str) -> None:
        self.prepared.append((guid, attempt_id))

    def call(self, target: FakeTarget, method: str, params: Any = None) -> asyncio.Future[Any]:
        """As Playwright's client calls it."""
        reply: asyncio.Future[Any] = self.connection.send_message_to_server(target, method, params or {}, {})
        return reply

    def listen(self, event: str, listener: Any) -> None:
        self.impl._add_listener(event, listener, False)


@pytest.fixture
async def driver() -> Any:
    with callbacks_restored():
        yield Driver()


@pytest.fixture
def as_attempt() -> Iterator[None]:
    """The code of attempt a-1 is running."""
    token = CURRENT_ATTEMPT.set("a-1")
    yield
    CURRENT_ATTEMPT.reset(token)


async def test_the_drivers_clock_is_for_the_runner_alone(driver: Driver, as_attempt: None) -> None:
    await driver.call(FakeTarget("BrowserContext"), "clockInstall", {"timeNumber": 5})
    assert driver.clock == [("a-1", "clockInstall", {"timeNumber": 5})]
    assert driver.connection.sent == []
    assert dict(driver.recorder.by_attempt()) == {}


async def test_a_side_effect_on_a_page_is_recorded_for_that_page(driver: Driver, as_attempt: None) -> None:
    driver.call(MINE, "setViewportSize")
    driver.call(MINE, "click")
    driver.call(MINE, "reload")
    assert driver.connection.sent == ["Page.setViewportSize", "Page.click", "Page.reload"]
    assert driver.recorder.page("mine").has(SideEffect.VIEWPORT)
    assert not driver.recorder.page("popup").has(SideEffect.VIEWPORT)
    driver.recorder.forget_page("mine")
    assert not driver.recorder.page("mine").has(SideEffect.VIEWPORT)


async def test_a_side_effect_on_the_context_is_recorded_for_its_attempt(driver: Driver, as_attempt: None) -> None:
    driver.call(FakeTarget("BrowserContext"), "setOffline")
    assert driver.recorder.by_attempt()["a-1"].has(SideEffect.OFFLINE)
    driver.recorder.forget_attempt("a-1")
    assert dict(driver.recorder.by_attempt()) == {}


async def test_the_runners_own_commands_are_passed_on_unrecorded(driver: Driver, as_attempt: None) -> None:
    with own_work():
        driver.call(NEIGHBOURS, "setViewportSize")
        driver.call(FakeTarget("BrowserContext"), "close")
    assert driver.connection.sent == ["Page.setViewportSize", "BrowserContext.close"]
    assert not driver.recorder.page("neighbours").has(SideEffect.VIEWPORT)


@pytest.mark.parametrize(
    ("type", "method"), [("BrowserContext", "close"), ("Page", "requests"), ("Browser", "newPage")]
)
async def test_what_belongs_to_the_runner_is_refused_and_not_sent(
    driver: Driver, as_attempt: None, type: str, method: str
) -> None:
    with pytest.raises(CallRefused, match=f"A module must not call Playwright's {type}.{method}"):
        driver.call(FakeTarget(type, "mine"), method)
    assert driver.connection.sent == []


async def test_what_no_module_can_begin_is_ended_without_the_driver(driver: Driver, as_attempt: None) -> None:
    assert await driver.call(FakeTarget("Tracing"), "tracingStop") == {}
    assert await driver.call(FakeTarget("Tracing"), "tracingStopChunk", {"mode": "discard"}) == {}
    with pytest.raises(CallRefused):
        driver.call(FakeTarget("Tracing"), "tracingStopChunk", {"mode": "entries"})
    assert driver.connection.sent == []
    assert dict(driver.recorder.by_attempt()) == {}


async def test_a_page_of_the_pool_is_told_from_a_popup(driver: Driver) -> None:
    pages: list[Any] = [MINE, NEIGHBOURS, POPUP]
    assert [driver.recorder.is_pooled(page) for page in pages] == [True, True, False]


async def test_a_call_outside_any_job_is_refused_with_the_way_to_start_threads(driver: Driver) -> None:
    with pytest.raises(CallRefused, match=r"called outside any job\. Use asyncio\.to_thread"):
        driver.call(MINE, "title")
    assert driver.connection.sent == []


async def test_the_page_of_another_job_is_refused_and_a_popup_is_not(driver: Driver, as_attempt: None) -> None:
    for target in (NEIGHBOURS, FakeTarget("Frame", page=NEIGHBOURS)):
        with pytest.raises(CallRefused, match="on a page of another job"):
            driver.call(target, "click")
    driver.call(POPUP, "click")
    driver.call(FakeTarget("Frame", page=MINE), "click")
    assert driver.connection.sent == ["Page.click", "Frame.click"]


async def test_a_page_that_an_attempt_opens_is_reported_as_its_own(driver: Driver, as_attempt: None) -> None:
    page = FakeTarget("Page", "opened")
    vars(page)["_object"] = page
    opens = driver.call(FakeTarget("BrowserContext"), "newPage")
    driver.connection.replies[-1].set_result({"page": page})
    fails = driver.call(FakeTarget("BrowserContext"), "newPage")
    driver.connection.replies[-1].set_exception(ValueError("refused by the driver"))
    with pytest.raises(ValueError, match="refused"):
        await fails
    assert await opens == {"page": page}
    # The attempt gets it when it is ready.
    assert driver.opened == driver.prepared == [("opened", "a-1")]


async def test_what_an_attempt_closes_is_closed_to_it_alone(driver: Driver, as_attempt: None) -> None:
    driver.recorder.close_for_caller("APIRequestContext", None)
    driver.call(MINE, "title")
    with pytest.raises(BrowserError, match="has been closed"):
        driver.call(FakeTarget("APIRequestContext"), "fetch")
    driver.recorder.close_for_caller("BrowserContext", "The shop is empty")
    driver.recorder.close_for_caller("APIRequestContext", "later")
    with pytest.raises(BrowserError, match="The shop is empty"):
        driver.call(MINE, "title")
    with own_work():
        driver.call(MINE, "content")
    token = CURRENT_ATTEMPT.set("a-2")
    driver.call(NEIGHBOURS, "title")
    CURRENT_ATTEMPT.reset(token)
    driver.recorder.forget_attempt("a-1")
    driver.call(MINE, "url")
    assert driver.connection.sent == ["Page.title", "Page.content", "Page.title", "Page.url"]


async def test_a_command_that_is_in_no_table_cannot_be_undone(driver: Driver, as_attempt: None) -> None:
    driver.call(MINE, "inventedTomorrow")
    assert driver.recorder.page("mine").first_permanent() == "Page.inventedTomorrow"


async def test_a_devtools_session_counts_against_the_page_that_it_inspects(driver: Driver, as_attempt: None) -> None:
    driver.connection._objects = {"mine": MINE, "frame": FakeTarget("Frame", "frame", page=MINE)}
    for params in ({"page": {"guid": "mine"}}, {"frame": {"guid": "frame"}}):
        driver.call(FakeTarget("BrowserContext"), "newCDPSession", params)
        assert driver.recorder.page("mine").first_permanent() == "BrowserContext.newCDPSession"
        driver.recorder.forget_page("mine")
    assert dict(driver.recorder.by_attempt()) == {}


async def test_a_released_key_is_no_longer_held(driver: Driver, as_attempt: None) -> None:
    for method, held in (("keyboardDown", True), ("mouseDown", True), ("keyboardUp", True), ("mouseUp", False)):
        driver.call(MINE, method)
        assert driver.recorder.page("mine").has(SideEffect.PRESSED) is held


async def test_a_disposable_can_be_undone_only_once_its_reply_has_come(driver: Driver, as_attempt: None) -> None:
    effects = driver.recorder.page("mine")
    reply = driver.call(MINE, "addInitScript")
    assert effects.first_permanent() == "Page.addInitScript"
    reply.set_result({"disposable": None})
    assert effects.first_permanent() is None
    driver.call(MINE, "exposeBinding").set_exception(ValueError("refused by the driver"))
    assert effects.first_permanent() == "Page.exposeBinding"


async def test_only_the_listeners_of_the_attempt_are_removed(driver: Driver) -> None:
    def of_the_runner() -> None: ...
    def of_a_module() -> None: ...
    def of_a_neighbour() -> None: ...

    driver.listen("page", of_the_runner)
    for attempt, listener in (("a-1", of_a_module), ("a-2", of_a_neighbour)):
        token = CURRENT_ATTEMPT.set(attempt)
        driver.listen("page", listener)
        CURRENT_ATTEMPT.reset(token)
    driver.recorder.drop_listeners("a-1")
    driver.recorder.drop_listeners("a-1")
    assert [listener for _, listener in driver.impl.listeners] == [of_the_runner, of_a_neighbour]


@pytest.mark.parametrize(("type", "method"), [("Frame", "click"), ("Page", "keyboardPress"), ("Frame", "dragAndDrop")])
async def test_input_that_was_aborted_may_hold_a_key_or_button(
    driver: Driver, as_attempt: None, type: str, method: str
) -> None:
    effects = driver.recorder.page("mine")
    target = MINE if type == "Page" else FakeTarget(type, page=MINE)
    driver.call(target, method).set_result(None)
    failed = driver.call(target, method)
    failed.set_exception(ValueError("timeout"))
    assert str(failed.exception()) == "timeout"
    assert effects.has(SideEffect.PRESSED)
    await asyncio.sleep(0)
    assert not effects.has(SideEffect.PRESSED)
    driver.call(target, method).cancel()
    await asyncio.sleep(0)
    assert effects.has(SideEffect.PRESSED)


async def test_the_pointer_counts_only_on_pages_of_the_pool(driver: Driver, as_attempt: None) -> None:
    driver.call(POPUP, "mouseMove")
    assert not driver.recorder.page("popup").has(SideEffect.POINTER)
    handle = FakeTarget("ElementHandle")
    vars(handle)["_frame"] = FakeTarget("Frame", page=MINE)
    driver.call(handle, "hover")
    assert driver.recorder.page("mine").has(SideEffect.POINTER)

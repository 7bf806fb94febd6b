"""What a handler gets, without a browser. `attempts/test_kept_artifacts.py` has the helpers on a real page."""

import inspect
from typing import Any, get_args, get_type_hints

import pytest
from playwright.async_api import Error as BrowserError
from pw_doubles import any_typed

from pageworker import Blocked, Each, Helpers, Log, Sink
from pageworker.page_reading import SETTLE_SECONDS
from pageworker.sink import Level
from pageworker_runner.attempts.running_attempt import RunningAttempt
from pageworker_sandbox.wire import messages as m


class AnsweringPage:
    """A page that answers every evaluation with the same fields."""

    def __init__(self, found: dict[str, str | None] | None = None) -> None:
        self.found = found or {}
        # Any: whatever the page was asked.
        self.asked: Any = None

    async def evaluate(self, script: str, argument: Any) -> dict[str, str | None]:
        self.asked = argument
        return self.found

    async def content(self) -> str:
        return "<h1>\ud83d</h1>"


class MovingPage(AnsweringPage):
    """A page that goes elsewhere while it is read, `times` times in a row."""

    def __init__(self, times: int) -> None:
        super().__init__({"title": "landed"})
        self.times = times
        self.waits: list[float] = []

    async def evaluate(self, script: str, argument: Any) -> dict[str, str | None]:
        self._move()
        return await super().evaluate(script, argument)

    async def content(self) -> str:
        self._move()
        return await super().content()

    async def wait_for_load_state(self, state: str, timeout: float) -> None:
        assert state == "domcontentloaded"
        self.waits.append(timeout)

    def _move(self) -> None:
        self.times -= 1
        if self.times >= 0:
            raise BrowserError("Execution context was destroyed, most likely because of a navigation")


def helpers(sink: Any, page: AnsweringPage | None = None) -> Helpers:
    fake = any_typed(page or AnsweringPage())
    return Helpers(fake, sink)


async def test_text_is_stored_as_utf_8_and_half_a_surrogate_pair_costs_one_character(sink: Any) -> None:
    await helpers(sink).artifact("invoice", "ü", "text/plain")
    await helpers(sink).html()
    assert sink.artifacts == [
        ("invoice", "ü".encode(), "text/plain"),
        ("html", "<h1>\ufffd</h1>".encode(), "text/html; charset=utf-8"),
    ]


async def test_missing_fields_are_named_together_with_their_selectors(sink: Any) -> None:
    page = AnsweringPage({"title": "Chair", "price": None, "sku": None})
    with pytest.raises(Exception, match="Required fields are not on the page: price, sku") as caught:
        await helpers(sink, page).extract(
            {"title": "h1", "price": ".price", "sku": "article@data-sku"}, required=["title", "price", "sku"]
        )
    # Any: the class of the error is private to the SDK.
    error: Any = caught.value
    assert (error.type, error.retryable) == ("field_missing", True)
    assert error.detail == {"missing": ["price", "sku"], "selectors": {"price": ".price", "sku": "article@data-sku"}}
    places = {name: (place["selector"], place["attribute"]) for name, place in page.asked.items()}
    assert places == {"title": ("h1", ""), "price": (".price", ""), "sku": ("article", "data-sku")}


async def test_a_page_that_goes_elsewhere_is_read_again(sink: Any) -> None:
    page = MovingPage(3)
    assert await helpers(sink, page).extract({"title": "title"}) == {"title": "landed"}
    assert len(page.waits) == 3
    assert 0 < max(page.waits) <= SETTLE_SECONDS * 1000
    page.times = 2
    await helpers(sink, page).html()
    assert len(page.waits) == 5


async def test_a_page_that_never_settles_is_given_up(sink: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pageworker.page_reading.SETTLE_SECONDS", 0.0)
    with pytest.raises(BrowserError, match="Execution context was destroyed"):
        await helpers(sink, MovingPage(1)).extract({"title": "title"})


async def test_calls_that_ask_for_nothing_are_refused_by_name(sink: Any) -> None:
    with pytest.raises(ValueError, match=r"helpers\.extract: `required` names fields .*: titel"):
        await helpers(sink).extract({"title": "h1"}, required=["titel"])
    with pytest.raises(ValueError, match=r"helpers\.which needs"):
        await helpers(sink).which({})
    with pytest.raises(ValueError, match=r"helpers\.wait_until needs"):
        await helpers(sink).wait_until()
    with pytest.raises(ValueError, match=r"helpers\.wait_for needs"):
        await helpers(sink).wait_for("the price")
    for ways in ({}, {"next": "a", "scroll": True}, {"scroll": True, "max_pages": 0}):
        with pytest.raises(ValueError, match=r"helpers\.paginate needs one of"):
            await helpers(sink).paginate(Each(".offer"), **any_typed(ways))


def test_blocked_ends_the_attempt(sink: Any) -> None:
    with pytest.raises(Blocked) as caught:
        helpers(sink).blocked("captcha", "shopguard", selector=".captcha")
    assert (caught.value.kind, caught.value.provider) == ("captcha", "shopguard")
    assert caught.value.evidence == {"selector": ".captcha"}


def test_the_state_of_a_profile_is_reported_with_its_evidence(sink: Any) -> None:
    helpers(sink).profile_state("needs_human", text="code sent")
    assert sink.profile_states == [("needs_human", {"text": "code sent"})]


def test_recordings_are_of_the_jobs_own_page_unless_another_is_given(sink: Any) -> None:
    own, popup = AnsweringPage(), AnsweringPage()
    untyped = any_typed(popup)
    recorded = helpers(sink, own)
    recorded.har(url="**/api")
    recorded.har(untyped, kind="popup-har", bodies=False)
    recorded.trace(screenshots=False)
    assert sink.recorded == [
        ("har", own, {"bodies": True, "url": "**/api"}),
        ("popup-har", popup, {"bodies": False, "url": None}),
        ("trace", own, {"snapshots": True, "screenshots": False}),
    ]


def test_an_attribute_of_test_ids_has_a_name(sink: Any) -> None:
    helpers(sink).set_test_id_attribute("data-qa")
    assert sink.test_id_attribute == "data-qa"
    with pytest.raises(ValueError, match="data-qa"):
        helpers(sink).set_test_id_attribute("")


def test_every_level_has_a_method_of_its_own(sink: Any) -> None:
    log = Log(sink)
    for level in get_args(Level):
        getattr(log, level)("found offers", count=3)
    assert sink.lines == [(level, "found offers", {"count": 3}) for level in get_args(Level)]


def test_fields_may_have_any_name_that_is_not_the_messages(sink: Any) -> None:
    Log(sink).info("x", level="y", fields=1)
    assert sink.lines == [("info", "x", {"level": "y", "fields": 1})]


@pytest.mark.parametrize(
    "method", ["artifact", "download", "har", "trace", "set_test_id_attribute", "screenshot", "log"]
)
def test_the_runners_sink_has_the_protocols_signatures(method: str, sink: Any) -> None:
    expected = inspect.signature(getattr(Sink, method))
    for implementation in (RunningAttempt, type(sink)):
        actual = getattr(implementation, method)
        assert inspect.signature(actual) == expected
        assert inspect.iscoroutinefunction(actual) == inspect.iscoroutinefunction(getattr(Sink, method))


def test_every_level_can_cross_the_wire() -> None:
    assert set(get_args(Level)) == set(get_args(get_type_hints(m.LogLine)["level"]))

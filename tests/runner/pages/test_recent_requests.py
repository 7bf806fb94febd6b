"""`page.requests` of a job: the requests of its own pages since it began, in the driver's order."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from pw_doubles import any_typed
from pw_runner.bundles import handler
from pw_runner.site import SiteAnswer
from pw_runner.supervisor import Supervisor

from pageworker_runner.pages.recent_requests import MOST, RecentRequests


class RequestingPage:
    """A page whose requests the test makes."""

    def __init__(self) -> None:
        self.listeners: list[Any] = []

    def on(self, event: str, listener: Any) -> None:
        assert event == "request"
        self.listeners.append(listener)

    def request(self, request: object) -> None:
        for listener in self.listeners:
            listener(request)


def test_the_last_requests_of_an_attempt_are_kept_until_it_ends() -> None:
    recent = any_typed(RecentRequests())
    page = RequestingPage()
    assert recent.of("a-1") is None
    recent.begin("a-1", page)
    assert recent.of("a-1") == []
    for number in range(MOST + 1):
        page.request(number)
    assert recent.of("a-1") == list(range(1, MOST + 1))
    assert recent.of("a-2") is None
    recent.end("a-1")
    assert recent.of("a-1") is None


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def runner() -> AsyncIterator[Supervisor]:
    """One page, so that each job gets the page of the one before."""
    supervisor = await Supervisor(pages=1, recycle_seconds=3).start()
    supervisor.site.pages["/p"] = SiteAnswer("<title>shop</title><img src='/missing.gif'>")
    yield supervisor
    await supervisor.close()


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="module")
async def test_requests_work_and_those_of_a_popup_are_its_own(runner: Supervisor) -> None:
    module = handler(
        """
        await page.goto("http://shop.example/p")
        first, *others = await page.requests()
        other = await page.context.new_page()
        await other.goto("http://shop.example/p?other")
        return {
            "first": [first.url, first.is_navigation_request(), await (await first.response()).text()],
            "others": [each.url for each in others],
            "opened": [each.url for each in await other.requests()][:1],
            "same": first is (await page.requests())[0],
        }
        """
    )
    assert (await runner.run(module)).data == {
        "first": ["http://shop.example/p", True, "<title>shop</title><img src='/missing.gif'>"],
        "others": ["http://shop.example/missing.gif"],
        "opened": ["http://shop.example/p?other"],
        "same": True,
    }
    assert runner.retired == []


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="module")
async def test_a_call_that_the_source_does_not_show_is_refused(runner: Supervisor) -> None:
    hides = handler("await getattr(page, 're' + 'quests')()\nreturn {}", name="hides")
    failure = (await runner.run(hides)).failure
    assert failure.type == "refused"
    assert failure.message.endswith("write the call out in the module's source, as page.requests().")
    named = handler("return {'requests': await getattr(page, 'requests')()}", name="named")
    assert (await runner.run(named)).data == {"requests": []}


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="module")
async def test_a_closed_page_has_no_requests(runner: Supervisor) -> None:
    closes = handler("await page.close()\nawait page.requests()", name="closes")
    assert (await runner.run(closes)).failure.type == "page_closed"

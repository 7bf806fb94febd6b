"""What a job closes is closed for that job alone, and what is refused leaves no mark in Playwright's client."""

import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from pw_runner.bundles import handler
from pw_runner.site import SiteAnswer
from pw_runner.supervisor import Supervisor

from pageworker_runner.pages.client_guard import LEFT_IN

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

OPEN = "await page.goto('http://shop.example/p')\n"
CLOSES = {
    "context": "await page.context.close()",
    "context with a reason": "await page.context.close(reason='done')",
    "context as a manager": "async with page.context:\n    pass",
    "context in a task": "await asyncio.gather(page.context.close(), page.context.close())",
    "browser": "await page.context.browser.close(reason='done')",
    "browser as a manager": "async with page.context.browser:\n    pass",
}
REFUSED = {
    "file for an upload": "await page.set_content('<input type=file>')\n"
    "await page.set_input_files('input', '/etc/passwd')",
    "file for a handle": "await page.set_content('<input type=file>')\n"
    "await (await page.query_selector('input')).set_input_files('/etc/passwd')",
    "new context": "await page.context.browser.new_context()",
    "new page of the browser": "await page.context.browser.new_page()",
    "trace of the browser": "await page.context.browser.start_tracing(page=page, path='/tmp/x')",
    "launch": "await page.context.browser.browser_type.launch()",
    "connect": "await page.context.browser.browser_type.connect_over_cdp('http://127.0.0.1:1')",
    "second driver": "from playwright.async_api import async_playwright\nasync with async_playwright():\n    pass",
}
# Playwright's driver may write files of the runner's scratch folder, and read them for a later upload.
FILES = {
    "trace": "await page.context.tracing.start()\nawait page.context.tracing.stop(path=payload['path'])",
    "chunk of a trace": "await page.context.tracing.start()\n"
    "await page.context.tracing.stop_chunk(path=payload['path'])",
    "har": "await page.context.tracing.start_har(payload['path'])\n" + OPEN + "await page.context.tracing.stop_har()",
    "har in a zip": "await page.context.tracing.start_har(payload['path'] + '.zip')",
    "har by a route": "await page.route_from_har(payload['path'], update=True)",
    "video": "await page.screencast.start(path=payload['path'])",
    "download": OPEN + "async with page.expect_download() as started:\n"
    "    await page.evaluate(\"location.href = '/file'\")\n"
    "await (await started.value).save_as(payload['path'])",
}
# The next job: everything that a closed context would break.
LOOK = handler(
    """
    called = []
    async def router(route):
        called.append(route.request.url)
        await route.continue_()
    await page.route("**/p", router)
    await page.goto("http://shop.example/p", timeout=5000)
    context = page.context
    return {
        "called": len(called),
        "status": (await context.request.get("http://shop.example/missing")).status,
        "reasons": [each._impl_obj._close_reason for each in (context, context.browser, context.request)],
        "timeout": context._impl_obj._timeout_settings._default_timeout,
        "pages": len(context.pages),
    }
    """,
    name="look",
)
WELL = {"called": 1, "status": 404, "reasons": [None, None, None], "timeout": 30000, "pages": 1}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def runner() -> AsyncIterator[Supervisor]:
    """One page, so that the next job gets the same one."""
    supervisor = await Supervisor(pages=1, recycle_seconds=3).start()
    supervisor.site.pages["/p"] = SiteAnswer("<title>shop</title>")
    yield supervisor
    await supervisor.close()


@pytest.mark.parametrize("closes", CLOSES)
async def test_closing_at_the_end_spoils_neither_this_job_nor_the_next(runner: Supervisor, closes: str) -> None:
    version = f"1.0.{list(CLOSES).index(closes)}"
    body = OPEN + "title = await page.title()\n" + CLOSES[closes] + "\nreturn {'title': title}"
    assert (await runner.run(handler(body, name="closes", version=version))).data == {"title": "shop"}
    assert (await runner.run(LOOK)).data == WELL
    assert runner.retired == []


@pytest.mark.parametrize("after", ["await page.title()", "await page.request.get('http://shop.example/p')"])
async def test_a_closed_context_is_closed_to_its_job(runner: Supervisor, after: str) -> None:
    version = f"1.0.{len(after)}"
    report = await runner.run(handler("await page.context.close()\n" + after, name="goes-on", version=version))
    assert report.failure.type == "page_closed"
    caught = handler(
        "await page.context.close()\n"
        f"try:\n    {after}\n"
        "except Exception as error:\n    return {'error': str(error), 'type': type(error).__name__}",
        name="catches",
        version=version,
    )
    found = (await runner.run(caught)).data
    assert found["type"] == "TargetClosedError"
    assert found["error"].endswith("Target page, context or browser has been closed")
    assert (await runner.run(LOOK)).data == WELL


@pytest.mark.parametrize("closes", ["page.context", "page.context.browser"])
async def test_waits_end_when_their_context_is_closed(runner: Supervisor, closes: str) -> None:
    runner.site.pages["/endless"] = SiteAnswer("x", unfinished=True)
    waits = handler(
        OPEN
        + "async with page.expect_response('**/endless') as got:\n"
        + "    await page.evaluate(\"fetch('/endless').then(() => 1)\")\n"
        + "response = await got.value\n"
        + "begun = asyncio.ensure_future(response.finished())\n"
        + "await asyncio.sleep(0)\n"
        + f"await {closes}.close(reason='done')\n"
        + "found = await asyncio.gather(begun, response.finished(), return_exceptions=True)\n"
        + "if payload['catches']:\n"
        + "    return {'errors': [f'{each.name}: {each}' for each in found]}\n"
        + "raise found[0]",
        name="waits-for-the-end",
        version=f"1.0.{len(closes)}",
    )
    assert (await runner.run(waits, {"catches": True})).data == {"errors": ["TargetClosedError: done"] * 2}
    assert (await runner.run(waits, {"catches": False})).failure.type == "page_closed"
    finishes = "response = await page.goto('http://shop.example/p')\nawait response.finished()\nreturn {'well': True}"
    assert (await runner.run(handler(finishes, name="finishes"))).data == {"well": True}
    assert (await runner.run(LOOK)).data == WELL
    assert runner.retired == []


@pytest.mark.parametrize("closes", ["page.context", "page.context.browser"])
async def test_a_closed_context_has_no_pages(runner: Supervisor, closes: str) -> None:
    body = f"context = page.context\nawait {closes}.close()\nreturn {{'pages': len(context.pages)}}"
    assert (await runner.run(handler(body, name="counts", version=f"1.0.{len(closes)}"))).data == {"pages": 0}
    assert (await runner.run(LOOK)).data == WELL


async def test_calls_after_a_close_raise_its_reason(runner: Supervisor) -> None:
    calls = {"close": "await page.title()", "dispose": "await page.request.get('http://shop.example/p')"}
    for closes, call in calls.items():
        owner = {"close": "page.context", "dispose": "page.request"}[closes]
        body = f"await {owner}.{closes}(reason='The shop is empty')\ntry:\n    {call}\n"
        body += "except Exception as error:\n    return {'error': str(error), 'type': type(error).__name__}"
        found = (await runner.run(handler(body, name=closes))).data
        assert found["type"] == "TargetClosedError"
        assert found["error"].endswith("The shop is empty")
        assert (await runner.run(LOOK)).data == WELL


async def test_disposed_requests_end_the_requests_of_their_job_only(runner: Supervisor) -> None:
    module = handler(
        """
        await page.request.dispose(reason="done")
        try:
            await page.request.get("http://shop.example/p")
        except Exception as error:
            found = type(error).__name__
        await page.goto("http://shop.example/p")
        return {"found": found, "title": await page.title()}
        """,
        name="disposes",
    )
    assert (await runner.run(module)).data == {"found": "TargetClosedError", "title": "shop"}
    assert (await runner.run(LOOK)).data == WELL


async def test_a_job_that_closes_does_not_close_for_a_job_at_the_same_time() -> None:
    runner = await Supervisor(pages=2).start()
    try:
        runner.site.pages["/p"] = SiteAnswer("<title>shop</title>")
        waits = await runner.begin(
            handler("await asyncio.sleep(0.5)\n" + OPEN + "return {'title': await page.title()}", name="waits")
        )
        await runner.accepted(waits)
        closes = await runner.begin(
            handler("for each in page.context.pages:\n    await each.close()\nawait page.context.close()\nreturn {}")
        )
        assert (await runner.finished(closes)).data == {}
        assert (await runner.finished(waits)).data == {"title": "shop"}
    finally:
        await runner.close()


async def test_a_pause_waits_for_nothing_and_is_a_warning_in_the_log(runner: Supervisor) -> None:
    pauses = handler(
        """
        page.set_default_timeout(123)
        settings = page.context._impl_obj._timeout_settings
        seen = []
        async def watch():
            while True:
                seen.append(settings.default_timeout())
                await asyncio.sleep(0)
        watching = asyncio.ensure_future(watch())
        for _ in range(20):
            await page.pause()
        watching.cancel()
        try:
            await page.click("text=nothing")
        except Exception as error:
            return {"seen": len(seen) >= 20, "timeouts": sorted(set(seen)), "error": str(error).partition("\\n")[0]}
        """,
        name="pauses",
    )
    report = await runner.run(pauses)
    assert report.data == {
        "seen": True,
        "timeouts": [30000],
        "error": "Page.click: Timeout 123ms exceeded.",
    }
    assert {(log.level, log.message) for log in report.logs} == {
        ("warning", f"{LEFT_IN} (job/__init__.py:16 in handler)")
    }
    assert (await runner.run(LOOK)).data == WELL


async def test_a_pause_raises_what_each_call_raises(runner: Supervisor) -> None:
    closed = await runner.run(handler("await page.context.close()\nawait page.pause()", name="pauses-late"))
    assert closed.failure.type == "page_closed"
    assert closed.logs == []
    assert (await runner.run(LOOK)).data == WELL


@pytest.mark.parametrize("writes", FILES)
async def test_no_file_is_left_for_a_later_job(runner: Supervisor, writes: str) -> None:
    runner.site.pages["/file"] = SiteAnswer(
        "x", headers=("Content-Disposition: attachment; filename=x.txt",), content_type="text/plain"
    )
    version = f"1.0.{list(FILES).index(writes)}"
    file = Path(tempfile.gettempdir()) / f"pw_left_{os.getpid()}"
    report = await runner.run(handler(FILES[writes], name="writes", version=version), {"path": str(file)})
    assert report.failure.type == "refused"
    assert not file.exists()
    assert (await runner.run(LOOK)).data == WELL
    assert runner.retired == []


@pytest.mark.parametrize("refused", REFUSED)
async def test_what_is_refused_leaves_no_mark(runner: Supervisor, refused: str) -> None:
    version = f"1.0.{list(REFUSED).index(refused)}"
    report = await runner.run(handler(REFUSED[refused] + "\nreturn {}", name="asks", version=version))
    assert report.failure.type == "refused"
    assert report.failure.message.startswith("A module must not ")
    assert (await runner.run(LOOK)).data == WELL
    assert runner.retired == []

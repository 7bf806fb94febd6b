"""A main document that is no page ends its job at once, and the result says what it was and how to get the bytes."""

import asyncio
from pathlib import Path

import pytest
from pw_runner.bundles import handler
from pw_runner.site import SiteAnswer
from pw_runner.supervisor import CHROMIUM, HEADLESS_SHELL, Supervisor

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
ATTACHED = ("Content-Disposition: attachment; filename=x.html",)
ANSWERS = {
    "/204": SiteAnswer(status="204 No Content"),
    "/205": SiteAnswer(status="205 Reset Content"),
    "/loop": SiteAnswer(status="302 Found", headers=("Location: /loop",)),
    "/attached": SiteAnswer("<h1>x</h1>", headers=ATTACHED),
    "/binary": SiteAnswer("x", content_type="application/octet-stream"),
}
FAILURES = {
    "/204": ("navigation_error", "204 No Content"),
    "/205": ("navigation_error", "205 Reset Content"),
    "/loop": ("navigation_error", "redirects do not end"),
    "/attached": ("download", "a file instead of a page"),
    "/binary": ("download", "a file instead of a page"),
}
OPEN = handler("response = await page.goto(payload['url'])\nreturn {'status': response.status}")


@pytest.mark.parametrize("browser", [CHROMIUM, HEADLESS_SHELL], ids=lambda path: path.name)
async def test_it_fails_for_good_and_says_why(browser: Path) -> None:
    runner = await Supervisor(browser, pages=1).start()
    try:
        runner.site.pages |= {**ANSWERS, "/empty": SiteAnswer(status="404 Not Found")}
        for path, (type, text) in FAILURES.items():
            async with asyncio.timeout(60):
                failure = (await runner.run(OPEN, {"url": f"http://shop.example{path}"}, timeout_seconds=60)).failure
            assert (failure.type, failure.retryable) == (type, False), path
            assert text in failure.message
            assert "page.request.get" in failure.message
        empty = await runner.run(OPEN, {"url": "http://shop.example/empty"})
        if browser == HEADLESS_SHELL:
            assert empty.data == {"status": 404}
        else:
            assert "error status without content" in empty.failure.message
    finally:
        await runner.close()

"""A field that is filled with a secret: like any other for the page, and in no trace, no error and no picture."""

import io
import json
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Locator, Page, async_playwright
from playwright.async_api import Error as BrowserError
from pw_runner.bundles import handler
from pw_runner.site import SiteAnswer
from pw_runner.supervisor import HEADLESS_SHELL, Supervisor

from pageworker_runner.pages.secret_fields import fill_secretly
from pageworker_supervisor.secrets.masker import SecretMasker
from pageworker_supervisor.secrets.zip_masking import masked_zip

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

SECRET = "correct-horse-7"
FORM = """<style>* { font: 30px sans-serif; color: black }</style>
<input id=plain name=user placeholder=user><input id=hidden type=password><textarea id=area></textarea>
<div id=edit contenteditable style="width:300px;border:1px solid">x</div>
<script>
  window.events = [];
  for (const type of ["input", "change", "focus"])
    document.addEventListener(type, event => window.events.push(type), true);
</script>"""

Fill = Callable[[Locator], Awaitable[None]]


async def secretly(locator: Locator) -> None:
    await fill_secretly(locator, "login", SECRET)


async def plainly(locator: Locator) -> None:
    await locator.fill(SECRET)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser_context() -> AsyncIterator[BrowserContext]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=HEADLESS_SHELL)
        yield await browser.new_context()
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser_context: BrowserContext) -> AsyncIterator[Page]:
    page = await browser_context.new_page()
    await page.set_content(FORM)
    yield page
    await page.close()


async def test_the_page_gets_the_value_and_the_events_of_a_fill(page: Page) -> None:
    await secretly(page.locator("#plain"))
    assert await page.input_value("#plain") == SECRET
    events = await page.evaluate("window.events")
    await page.reload()
    await page.set_content(FORM)
    await plainly(page.locator("#plain"))
    assert events == await page.evaluate("window.events") == ["focus", "input"]


async def trace_of(context: BrowserContext, page: Page, fill: Fill, folder: Path, **options: Any) -> bytes:
    """The trace of a fill and one more call."""
    await context.tracing.start(**options)
    await fill(page.locator("#plain"))
    assert await page.title() == ""
    file = folder / "trace.zip"
    await context.tracing.stop(path=file)
    return file.read_bytes()


def holders(trace: bytes) -> set[str]:
    """The types of the trace's events that hold the secret, and the names of other entries that do."""
    found = set()
    with zipfile.ZipFile(io.BytesIO(trace)) as file:
        for name in file.namelist():
            content = file.read(name)
            if name.endswith((".trace", ".network")):
                found |= {json.loads(line)["type"] for line in content.splitlines() if SECRET.encode() in line}
            elif SECRET.encode() in content:
                found.add(name)
    return found


async def test_a_trace_has_the_value_of_a_plain_fill(
    browser_context: BrowserContext, page: Page, tmp_path: Path
) -> None:
    """The control."""
    assert "before" in holders(await trace_of(browser_context, page, plainly, tmp_path))


async def test_a_trace_does_not_have_the_value(browser_context: BrowserContext, page: Page, tmp_path: Path) -> None:
    trace = await trace_of(browser_context, page, secretly, tmp_path, screenshots=True, sources=False)
    assert holders(trace) == set()


async def test_the_copies_of_the_page_in_a_trace_have_it_until_the_worker_masks_them(
    browser_context: BrowserContext, page: Page, tmp_path: Path
) -> None:
    trace = await trace_of(browser_context, page, secretly, tmp_path, snapshots=True, screenshots=True)
    assert holders(trace) <= {"frame-snapshot"}
    masker = SecretMasker()
    masker.add("login", SECRET)
    assert holders(masked_zip(trace, masker)) == set()


async def test_an_error_does_not_tell_the_value(page: Page) -> None:
    page.set_default_timeout(500)
    # The fill is logged with its value when the element is there, and is refused for being read-only.
    await page.locator("#plain").evaluate("element => element.readOnly = true")
    with pytest.raises(BrowserError) as caught:
        await secretly(page.locator("#plain"))
    told = f"{caught.value} {caught.value!r} {caught.value.message} {caught.value.stack}"
    assert SECRET not in told
    assert "(secret login)" in told
    assert caught.value.message.startswith("helpers.fill_secret: ")
    with pytest.raises(BrowserError, match=SECRET):
        await plainly(page.locator("#plain"))


@pytest.mark.parametrize("field", ["#plain", "#hidden", "#area", "#edit"])
async def test_no_picture_shows_how_long_the_value_is_or_what_it_is(page: Page, field: str) -> None:
    await page.locator(field).focus()
    pictures = []
    for value in ("correct-horse-7", "x", "WWWWWWWWWW battery"):
        await fill_secretly(page.locator(field), "login", value)
        pictures.append(await page.screenshot())
    if field != "#hidden":
        assert pictures[0] == pictures[1] == pictures[2]
    await page.locator(field).evaluate("element => element.removeAttribute('style')")
    assert await page.screenshot() != pictures[2], "without its cover the field would show it"


async def test_screenshots_of_a_job_and_of_its_failure_do_not_show_the_value(runner: Supervisor) -> None:
    runner.site.pages["/form"] = SiteAnswer(FORM)
    pictures: dict[str, set[bytes]] = {"screenshot image/png": set(), "screenshot image/jpeg": set()}
    code = """
        await page.goto("http://shop.example/form")
        await helpers.fill_secret("#plain", "login")
        await helpers.screenshot()
        raise Failed("login refused", type="refused")
    """
    for value in ("correct-horse-7", "x", "WWWWWWWWWW battery"):
        runner.secrets = {"login": value}
        report = await runner.run(handler(code, name="fills"))
        assert report.failure.type == "refused"
        for artifact, data in report.artifacts:
            pictures.get(f"{artifact.kind} {artifact.content_type}", set()).add(data)
    assert {name: len(found) for name, found in pictures.items()} == {
        "screenshot image/png": 1,
        "screenshot image/jpeg": 1,
    }

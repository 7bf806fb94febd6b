"""The options of a browser context, as pages, their parts and servers see them in real browsers."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from pw_runner.bundles import handler
from pw_runner.site import Request, SiteAnswer
from pw_runner.supervisor import CHROMIUM, HEADLESS_SHELL, Supervisor

from pageworker_runner.pages.context_options import VIEWPORT, geolocation, launch_options, viewport
from pageworker_sandbox.page_rules import parse_options
from pageworker_sandbox.wire.page_options import PageOptions

in_browsers = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)
GIVEN: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "user_agent": AGENT,
    "locale": "de-DE",
    "timezone_id": "Asia/Tokyo",
    "device_scale_factor": 3,
    "is_mobile": True,
    "has_touch": True,
    "geolocation": {"latitude": 52.5, "longitude": 13.25},
    "permissions": ["geolocation"],
    "color_scheme": "dark",
    "reduced_motion": "reduce",
    "forced_colors": "active",
    "contrast": "more",
    "extra_http_headers": {"x-team": "prices"},
    "http_credentials": {"username": "anna", "password": "s3cret"},
}
OPTIONS = parse_options(GIVEN)
CLEANED_SECONDS = 30.0

LOOK = """() => ({
  agent: navigator.userAgent, language: navigator.language, languages: navigator.languages.join(),
  intl: new Intl.NumberFormat().resolvedOptions().locale,
  zone: Intl.DateTimeFormat().resolvedOptions().timeZone, offset: new Date(0).getTimezoneOffset(),
  platform: navigator.userAgentData ? navigator.userAgentData.platform : 'Windows',
})"""
LOOK_PAGE = """() => ({
  width: innerWidth, height: innerHeight, scale: devicePixelRatio, touch: navigator.maxTouchPoints > 0,
  dark: matchMedia('(prefers-color-scheme: dark)').matches,
  still: matchMedia('(prefers-reduced-motion: reduce)').matches,
  forced: matchMedia('(forced-colors: active)').matches,
  contrast: matchMedia('(prefers-contrast: more)').matches,
})"""
SEEN = {
    "agent": AGENT,
    "language": "de-DE",
    "languages": "de-DE",
    "intl": "de-DE",
    "zone": "Asia/Tokyo",
    "offset": -540,
    "platform": "Windows",
}
SEEN_PAGE = {
    "width": 390,
    "height": 844,
    "scale": 3,
    "touch": True,
    "dark": True,
    "still": True,
    "forced": True,
    "contrast": True,
}
PARTS = handler(
    f"""
    LOOK = '''{LOOK}'''
    LOOK_PAGE = '''{LOOK_PAGE}'''
    await page.goto("http://localhost/p")
    seen = {{"page": await page.evaluate(LOOK), "page itself": await page.evaluate(LOOK_PAGE)}}
    for name, url in (("frame", "/frame"), ("far frame", "http://other.example/frame")):
        await page.evaluate(
            "url => new Promise(done => {{ const frame = document.createElement('iframe'); frame.src = url;"
            " frame.onload = done; document.body.append(frame) }})",
            url,
        )
        seen[name] = await page.frames[-1].evaluate(LOOK)
    async with page.expect_popup() as opened:
        await page.evaluate("window.open('/popup')")
    popup = await opened.value
    await popup.wait_for_load_state()
    seen["popup"] = await popup.evaluate(LOOK)
    seen["popup itself"] = await popup.evaluate(LOOK_PAGE)
    seen["worker"] = await page.evaluate(
        "() => new Promise(done => {{ new Worker('/worker.js').onmessage = event => done(event.data) }})"
    )
    seen["place"] = await page.evaluate(
        "() => new Promise(done => navigator.geolocation.getCurrentPosition("
        "found => done([found.coords.latitude, found.coords.longitude]), error => done(error.message)))"
    )
    seen["secret"] = (await page.goto("http://shop.example/secret")).status
    return seen
    """,
    name="parts",
)
PAGE_ALONE = handler(
    f"""
    await page.goto("http://localhost/p")
    return {{**await page.evaluate('''{LOOK}'''), **await page.evaluate('''{LOOK_PAGE}'''),
            "guid": page._impl_obj._guid}}
    """,
    name="alone",
)
# Undoes nothing itself: what a module may change on the page and on the context.
CHANGE = handler(
    """
    await page.goto("http://localhost/p")
    await page.set_viewport_size({"width": 800, "height": 600})
    await page.emulate_media(color_scheme="light", reduced_motion="no-preference", forced_colors="none",
                             contrast="no-preference")
    await page.set_extra_http_headers({"x-team": "other", "x-left": "1"})
    await page.context.set_extra_http_headers({"x-team": "third"})
    await page.context.set_geolocation({"latitude": 1, "longitude": 1})
    await page.context.clear_permissions()
    return {**page.viewport_size, "guid": page._impl_obj._guid}
    """,
    name="change",
)


def _page(request: Request) -> SiteAnswer:
    return SiteAnswer("<meta name=viewport content='width=device-width'><body>", content_type="text/html")


def _secret(request: Request) -> SiteAnswer:
    if request.headers.get("authorization") == "Basic YW5uYTpzM2NyZXQ=":
        return SiteAnswer("in")
    return SiteAnswer("", "401 Unauthorized", ('WWW-Authenticate: Basic realm="shop"',))


def serve(runner: Supervisor) -> None:
    worker = f"fetch('/from-worker').then(() => postMessage(({LOOK})()))"
    runner.site.pages |= {
        **dict.fromkeys(("/p", "/frame", "/popup"), _page),
        "/worker.js": SiteAnswer(worker, content_type="text/javascript"),
        "/from-worker": SiteAnswer("yes"),
        "/secret": _secret,
    }


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=[CHROMIUM, HEADLESS_SHELL], ids=["full", "shell"])
async def runner(request: pytest.FixtureRequest) -> AsyncIterator[Supervisor]:
    # Five pages of the full browser at once: on a busy host they are not cleaned in the usual time.
    supervisor = Supervisor(request.param, persistent=False, pages=1, options=OPTIONS, recycle_seconds=CLEANED_SECONDS)
    await supervisor.start()
    serve(supervisor)
    yield supervisor
    await supervisor.close()


class TestEveryOption:
    """In one runner: the second job finds what the first one found, whatever a job between them changed."""

    pytestmark = in_browsers

    async def test_is_seen_by_every_part_of_a_page_and_by_the_server_job_after_job(self, runner: Supervisor) -> None:
        first = (await runner.run(PARTS)).data
        for name in ("page", "frame", "far frame", "popup", "worker"):
            assert first[name] == SEEN, name
        assert first["page itself"] == first["popup itself"] == SEEN_PAGE
        assert first["place"] == [52.5, 13.25]
        assert first["secret"] == 200
        for path in ("/p", "/frame", "/popup", "/worker.js", "/from-worker", "/secret"):
            for each in runner.site.requested(path):
                assert each.headers.get("accept-language", "de-DE") == "de-DE", path
                assert each.headers["user-agent"] == AGENT, path
                assert each.headers["x-team"] == "prices", path
        assert (await runner.run(PARTS)).data == first

    async def test_comes_back_after_a_job_that_changed_it(self, runner: Supervisor) -> None:
        changed = (await runner.run(CHANGE)).data
        assert (changed["width"], changed["height"]) == (800, 600)
        runner.site.seen.clear()
        guid = changed["guid"]
        assert (await runner.run(PAGE_ALONE)).data == SEEN | SEEN_PAGE | {"guid": guid}, "the page is cleaned"
        (request,) = runner.site.requested("/p")
        assert request.headers["x-team"] == "prices"
        assert "x-left" not in request.headers
        assert (await runner.run(PARTS)).data["place"] == [52.5, 13.25]
        assert runner.retired == []

    async def test_no_secret_is_in_a_line_of_the_runner(self, runner: Supervisor) -> None:
        await runner.run(PARTS)
        lines = [line.message for line in runner.logs]
        assert not any("s3cret" in line for line in lines)


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("browser", [CHROMIUM, HEADLESS_SHELL], ids=["full", "shell"])
async def test_scripts_of_pages_do_not_run_without_java_script(browser: Any, start: Callable[..., Any]) -> None:
    runner = await start(browser=browser, pages=1, options=parse_options({"java_script_enabled": False}))
    runner.site.pages["/p"] = SiteAnswer("<title>plain</title><script>document.title = 'scripted'</script>")
    module = handler(
        "await page.goto('http://shop.example/p')\nreturn {'title': await page.title(), 'guid': page._impl_obj._guid}"
    )
    first, second = (await runner.run(module)).data, (await runner.run(module)).data
    assert first["title"] == "plain"
    assert second == first, "the page is proved clean all the same"


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="module")
async def test_service_workers_can_be_blocked(start: Callable[..., Any]) -> None:
    module = handler(
        """
        await page.goto("http://localhost/p")
        await page.evaluate("navigator.serviceWorker.register('/worker.js')")
        return {"registered": await page.evaluate("navigator.serviceWorker.getRegistrations().then(all => all.length)")}
        """
    )
    for word, registered in (("block", 0), ("allow", 1)):
        runner = await start(pages=1, options=parse_options({"service_workers": word}))
        serve(runner)
        assert (await runner.run(module)).data == {"registered": registered}


def test_playwright_gets_its_own_names() -> None:
    given = launch_options(OPTIONS)
    assert given == GIVEN | {"geolocation": {"latitude": 52.5, "longitude": 13.25}}
    assert launch_options(parse_options({"ca": "ca.pem"})) == {"viewport": VIEWPORT}


def test_an_unused_page_is_as_the_options_say() -> None:
    assert viewport(PageOptions()) == {"width": 1280, "height": 720}
    assert viewport(OPTIONS) == {"width": 390, "height": 844}
    assert geolocation(PageOptions()) is None
    assert geolocation(OPTIONS) == {"latitude": 52.5, "longitude": 13.25, "accuracy": 0}

"""Blocked requests in both browsers: what pages see, what leaves the browser, and what is counted."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from pw_runner.bundles import Packed, handler
from pw_runner.site import SiteAnswer
from pw_runner.supervisor import CHROMIUM, HEADLESS_SHELL, AttemptReport, Supervisor

from pageworker_sandbox.page_rules import parse_options

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

BROWSERS = pytest.mark.parametrize("browser", [CHROMIUM, HEADLESS_SHELL], ids=["full", "shell"])
CLEANED_SECONDS = 15.0
PIXEL = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
SVG = "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"
# Each part says how it ended. A part that never ends keeps the page from its answer.
PAGE = f"""<!doctype html><link rel=icon href="data:,">
<style>@font-face {{ font-family: own; src: url(/font.woff2) }}</style>
<script>
const ends = {{}}, waiting = []
const end = name => new Promise(done => {{ ends[name] = how => done([name, how]) }})
const watch = (name, element, good, bad = 'error') => {{
  waiting.push(end(name))
  element.addEventListener(good, () => ends[name]('shown'))
  element.addEventListener(bad, () => ends[name]('error'))
  return element
}}
const tell = (name, promise) => waiting.push(promise.then(() => [name, 'shown'], () => [name, 'error']))
</script><body><script>
const image = document.body.appendChild(watch('img', new Image(), 'load')); image.src = '/tag.svg'
const inline = watch('data image', new Image(), 'load'); inline.src = '{PIXEL}'
const source = watch('video', document.createElement('video'), 'loadedmetadata'); source.src = '/film.webm'
const sound = watch('audio', document.createElement('audio'), 'loadedmetadata'); sound.src = '/sound.ogg'
tell('font', new FontFace('mine', 'url(/font.woff2)').load())
tell('fetched image', fetch('/fetched.svg'))
tell('fetched font', fetch('/font.woff2'))
tell('ad', fetch('http://a.ads.example/ad', {{mode: 'no-cors'}}))
tell('ads itself', fetch('http://ads.example/ad', {{mode: 'no-cors'}}))
tell('named in a query', fetch('/ok?from=http://a.ads.example/'))
const blob = watch('blob image', new Image(), 'load')
fetch('/fetched.svg').then(answer => answer.blob()).then(body => {{ blob.src = URL.createObjectURL(body) }})
const worker = new Worker('/worker.js')
waiting.push(new Promise(done => {{ worker.onmessage = event => done(['worker', event.data]) }}))
for (const [name, url] of [['frame', '/frame'], ['far frame', 'http://far.example/frame']]) {{
  waiting.push(end(name))
  const frame = document.createElement('iframe'); frame.src = url; document.body.append(frame)
}}
addEventListener('message', event => ends[event.data[0]](event.data[1]))
// A blocked frame shows an error page, which sends no message: its parent gets no `error` event.
addEventListener('load', () => setTimeout(() => ends['far frame']('error'), 2000))
window.all = () => Promise.all(waiting).then(Object.fromEntries)
</script>"""
FRAME = """<!doctype html><link rel=icon href="data:,"><body><script>
const image = new Image()
image.onload = image.onerror = event => parent.postMessage(
  [location.host === 'far.example' ? 'far frame' : 'frame', event.type === 'load' ? 'shown' : 'error'], '*')
image.src = '/framed.svg'
</script>"""
WORKER = """fetch('/plain').then(() => fetch('http://a.ads.example/worker', {mode: 'no-cors'}))
  .then(() => postMessage('shown'), () => postMessage('error'))"""
SERVICE_WORKER = """oninstall = event => event.waitUntil(fetch('http://a.ads.example/service', {mode: 'no-cors'}).then(
  () => fetch('/service-shown'), () => fetch('/service-error')))"""
IMAGE = "new Promise(done => { const i = new Image(); i.onload = i.onerror = e => done(e.type); i.src = '/late.svg' })"
LOOK = "await page.goto('http://localhost/page')\nreturn await page.evaluate('all()')"
ALL = {"block": ["image", "media", "font"], "block_hosts": ["*.ads.example"]}
PATHS = {"/page", "/frame", "/worker.js", "/plain", "/fetched.svg", "/font.woff2", "/ad", "/ok"}
"""What the page asks for in every case."""
SHOWN = {
    **dict.fromkeys(("img", "data image", "blob image", "fetched image", "fetched font"), "shown"),
    **dict.fromkeys(("ad", "ads itself", "named in a query", "worker", "frame", "far frame"), "shown"),
    # The site has neither.
    **dict.fromkeys(("video", "audio", "font"), "error"),
}


def module(body: str) -> Packed:
    return handler(body, name="blocks", version=f"1.0.{abs(hash(body)) % 10**9}")


def serve(runner: Supervisor) -> None:
    picture = SiteAnswer(SVG, content_type="image/svg+xml")
    script = SiteAnswer(WORKER, content_type="text/javascript")
    runner.site.pages |= {
        "/page": SiteAnswer(PAGE),
        "/frame": SiteAnswer(FRAME),
        **dict.fromkeys(("/tag.svg", "/fetched.svg", "/framed.svg", "/late.svg"), picture),
        "/worker.js": script,
        "/service.js": SiteAnswer(SERVICE_WORKER, content_type="text/javascript"),
        **dict.fromkeys(
            ("/ok", "/plain", "/ad", "/worker", "/service", "/service-shown", "/service-error", "/font.woff2"),
            SiteAnswer("yes"),
        ),
    }


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=[CHROMIUM, HEADLESS_SHELL], ids=["full", "shell"])
async def runner(request: pytest.FixtureRequest) -> AsyncIterator[Supervisor]:
    """A runner that blocks all types and the hosts below ads.example."""
    started = Supervisor(
        request.param, persistent=False, pages=1, options=parse_options(ALL), recycle_seconds=CLEANED_SECONDS
    )
    await started.start()
    serve(started)
    yield started
    await started.close()


def blocked(report: AttemptReport) -> dict[str, int]:
    """What was counted."""
    assert report.done is not None
    return {str(kind): count for kind, count in report.done.blocked.items()}


def left(runner: Supervisor) -> set[str]:
    """The paths that the site was asked for."""
    return {request.path for request in runner.site.seen}


class TestAPage:
    async def test_gets_an_error_for_what_is_blocked_and_everything_else(self, runner: Supervisor) -> None:
        runner.site.seen.clear()
        report = await runner.run(module(LOOK))
        refused = dict.fromkeys(("img", "ad", "worker", "frame", "far frame"), "error")
        assert report.data == SHOWN | refused
        assert left(runner) == PATHS
        assert {request.host for request in runner.site.requested("/ad")} == {"ads.example"}
        assert len(runner.site.requested("/font.woff2")) == 1, "by fetch() alone"
        assert blocked(report) == {"image": 3, "media": 2, "font": 1, "host": 2}

    async def test_counts_anew_for_each_job(self, runner: Supervisor) -> None:
        first, second = await runner.run(module(LOOK)), await runner.run(module("return {}"))
        assert blocked(first)["image"] == 3
        assert blocked(second) == {}
        assert runner.retired == []

    async def test_sees_the_error_of_an_extension_that_blocks(self, runner: Supervisor) -> None:
        body = f"""
        failures = {{}}
        page.on("requestfailed", lambda request: failures.update({{request.url: request.failure}}))
        await page.goto("http://localhost/frame")
        await page.evaluate({IMAGE!r})
        return failures
        """
        failures = (await runner.run(module(body))).data
        assert failures["http://localhost/late.svg"].startswith("net::ERR_BLOCKED_BY_CLIENT")

    @pytest.mark.parametrize("url", ["http://a.ads.example/page", "http://localhost/to-ads"])
    async def test_cannot_go_to_a_blocked_host(self, runner: Supervisor, url: str) -> None:
        runner.site.pages["/to-ads"] = SiteAnswer("", "302 Found", ("Location: http://b.ads.example/page",))
        runner.site.seen.clear()
        report = await runner.run(module(f"await page.goto({url!r})"))
        assert report.failure.message.startswith("net::ERR_BLOCKED_BY_CLIENT")
        assert not report.failure.retryable, "the next attempt would be blocked too"
        assert not [request for request in runner.site.seen if request.host.endswith("ads.example")]
        assert blocked(report) == {"host": 1}

    async def test_that_a_job_opens_blocks_too(self, runner: Supervisor) -> None:
        body = f"""
        await page.goto("http://localhost/frame")
        async with page.expect_popup() as opened:
            await page.evaluate("void open('http://far.example/frame')")
        popup = await opened.value
        await popup.wait_for_url("**/frame")
        other = await page.context.new_page()
        await other.goto("http://localhost/frame")
        return {{"images": [await each.evaluate({IMAGE!r}) for each in (popup, other)]}}
        """
        report = await runner.run(module(body))
        assert report.data == {"images": ["error", "error"]}
        assert blocked(report) == {"image": 5}

    async def test_can_be_an_image_itself(self, runner: Supervisor) -> None:
        body = "answer = await page.goto('http://localhost/tag.svg')\nreturn {'status': answer.status}"
        assert (await runner.run(module(body))).data == {"status": 200}

    async def test_gets_what_its_module_answers_itself(self, runner: Supervisor) -> None:
        body = f"""
        async def answer(route):
            await route.fulfill(body={SVG!r}, content_type="image/svg+xml")
        await page.route("**/late.svg", answer)
        await page.goto("http://localhost/frame")
        return {{"image": await page.evaluate({IMAGE!r})}}
        """
        assert (await runner.run(module(body))).data == {"image": "load"}


async def test_requests_of_the_module_itself_are_left_to_the_gateway(runner: Supervisor) -> None:
    body = """
    answers = [await page.request.get(url) for url in ("http://localhost/tag.svg", "http://a.ads.example/ad")]
    return {"statuses": [answer.status for answer in answers]}
    """
    report = await runner.run(module(body))
    assert report.data == {"statuses": [200, 200]}
    assert blocked(report) == {}


async def test_a_service_worker_sends_nothing_to_a_blocked_host(runner: Supervisor) -> None:
    runner.site.seen.clear()
    body = """
    await page.goto("http://localhost/frame")
    await page.evaluate("navigator.serviceWorker.register('/service.js').then(() => navigator.serviceWorker.ready)"
                        ".then(() => 0)")
    return {}
    """
    report = await runner.run(module(body))
    assert report.data == {}
    assert "/service-error" in left(runner)
    assert not {"/service", "/service-shown"} & left(runner)


async def test_each_of_two_jobs_has_its_own_count(start: Callable[..., Awaitable[Supervisor]]) -> None:
    runner = await start(persistent=False, options=parse_options(ALL))
    serve(runner)
    body = f"""
    await page.goto("http://localhost/frame")
    for _ in range(payload["images"]):
        await page.evaluate({IMAGE!r})
    return {{}}
    """
    first = await runner.begin(module(body), {"images": 2})
    second = await runner.begin(module(body), {"images": 5})
    reports = [await runner.finished(attempt) for attempt in (first, second)]
    assert [blocked(report) for report in reports] == [{"image": 3}, {"image": 6}], "one more by the page itself"


IMAGES, MEDIA, ADS = {"/tag.svg", "/framed.svg"}, {"/film.webm", "/sound.ogg"}, {"/worker"}


@BROWSERS
@pytest.mark.parametrize(
    ("options", "errors", "kept"),
    [
        ({}, (), set()),
        ({"block": ["image"]}, ("img", "frame", "far frame"), IMAGES),
        ({"block": ["media"]}, (), MEDIA),
        ({"block": ["font"]}, (), {"font"}),
        ({"block_hosts": ["ads.example", "far.*"]}, ("ads itself", "far frame"), set()),
        ({"block_hosts": ["?.ads.exampl?"]}, ("ad", "worker"), ADS),
    ],
    ids=["nothing", "images", "media", "fonts", "hosts", "globs"],
)
async def test_only_what_the_options_name_is_blocked(
    browser: Any,
    options: dict[str, Any],
    errors: tuple[str, ...],
    kept: set[str],
    start: Callable[..., Awaitable[Supervisor]],
) -> None:
    runner = await start(browser=browser, pages=1, options=parse_options(options), recycle_seconds=CLEANED_SECONDS)
    serve(runner)
    assert (await runner.run(module(LOOK))).data == SHOWN | dict.fromkeys(errors, "error")
    assert (
        left(runner) | ({"font"} if len(runner.site.requested("/font.woff2")) == 2 else set())
        == (PATHS | IMAGES | MEDIA | ADS | {"font"}) - kept
    )

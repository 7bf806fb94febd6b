"""The status page in a real Chromium, over a real API and a real Redis: it renders, and hostile texts stay texts."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from api.status_page.conftest import ServedPage, page_settings, status_page
from api.status_page.corpus import HOSTILE
from api.status_page.seeds import seed
from playwright.async_api import ConsoleMessage, Dialog, Page, Request, async_playwright
from pw_runner.supervisor import HEADLESS_SHELL
from pw_servers import RedisServer

from pageworker_supervisor.artifacts.store import ArtifactStore
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.contract.printable import printable

LISTS = (
    *("/", "/workers", "/runners", "/queues", "/tenants", "/tenants?after=30", "/tenant?tenant_id=acme"),
    *("/jobs", "/jobs?state=delayed", "/jobs?state=ended", "/jobs?status=failed", "/jobs?status=succeeded"),
    *("/dead-letters", "/rollouts", "/rollouts?after=m049zzzz"),
)
SKELETON = """() => [...document.querySelectorAll('*')].map(one => [one.localName, ...[...one.attributes].map(
    each => each.name + (['class', 'id', 'type', 'method', 'rel'].includes(each.name) ? '=' + each.value : '')
)].join(' '))"""
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)


class Watched:
    """A page, and all that must not happen in it."""

    def __init__(self, page: Page, origin: str) -> None:
        self.page = page
        self.found: list[str] = []
        self._origin = origin
        self.allowed_errors: tuple[str, ...] = ()
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.found.append(f"error {error}"))
        page.on("dialog", self._dialog)
        page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        if not any(part in message.text for part in self.allowed_errors):
            self.found.append(f"console {message.text}")

    async def _dialog(self, dialog: Dialog) -> None:
        self.found.append(f"dialog {dialog.message}")
        await dialog.dismiss()

    def _request(self, request: Request) -> None:
        if not request.url.startswith(self._origin + "/"):
            self.found.append(f"request {request.url}")

    async def skeleton(self, path: str) -> list[str]:
        """Elements and attributes of a page, without its texts."""
        answer = await self.page.goto(self._origin + path)
        assert answer is not None
        assert answer.status == 200, (path, answer.status)
        assert await self.page.evaluate("window.ran") is None, path
        found: list[str] = await self.page.evaluate(SKELETON)
        return found

    async def following(self) -> str | None:
        """Where this page goes on."""
        link = await self.page.query_selector("nav.pages a:text('Next page')")
        return await link.get_attribute("href") if link else None


@asynccontextmanager
async def browsing(site: ServedPage, tenant_id: str | None = None) -> AsyncIterator[Watched]:
    """A browser that has signed in through the form."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=HEADLESS_SHELL, args=["--no-sandbox"])
        watched = Watched(await browser.new_page(), site.url)
        await sign_in(watched.page, site, tenant_id)
        yield watched
        await browser.close()


async def sign_in(page: Page, site: ServedPage, tenant_id: str | None) -> None:
    await page.context.clear_cookies()
    await page.goto(site.url + "/")
    assert page.url == site.url + "/sign-in"
    await page.fill("#token", await site.token(tenant_id))
    await page.press("#token", "Enter")
    await page.wait_for_url(site.url + "/")


async def skeletons(watched: Watched, jobs: Sequence[str]) -> dict[str, list[str]]:
    """Of all pages, with their following pages, the pages of these jobs, and of some dead letters."""
    found: dict[str, list[str]] = {}
    letters: list[str] = []
    for path in LISTS:
        at: str | None = path
        number = 0
        while at:
            found[f"{path} {number}"] = await watched.skeleton(at)
            if path == "/dead-letters":
                links = await watched.page.query_selector_all("th a")
                letters += [str(await link.get_attribute("href")) for link in links]
            number, at = number + 1, await watched.following()
    for name in jobs:
        found[name] = await watched.skeleton(f"/job?tenant_id=acme&job_id={name}")
    for number, path in enumerate(letters[::20]):
        found[f"letter {number}"] = await watched.skeleton(path)
    return found


async def test_hostile_texts_stay_texts(live_redis: RedisServer, tmp_path: Path) -> None:
    async with status_page(page_settings(live_redis.url, tmp_path)) as site, browsing(site) as watched:
        # The images of these jobs do not exist.
        watched.allowed_errors = ("404 (Not Found)",)
        harmless = await _seen(live_redis, site, watched, [f"harmless {number}" for number in range(len(HOSTILE))])
        hostile = await _seen(live_redis, site, watched, HOSTILE)
        assert watched.found == []
        assert harmless.keys() == hostile.keys()
        for path, elements in harmless.items():
            assert hostile[path] == elements, path
        await _are_shown(watched, HOSTILE)


def test_the_texts_are_enough() -> None:
    assert len(set(HOSTILE)) >= 60


async def _seen(server: RedisServer, site: ServedPage, watched: Watched, texts: Sequence[str]) -> dict[str, list[str]]:
    server.command("FLUSHALL")
    await seed(server, site.api.queue, texts)
    await sign_in(watched.page, site, None)
    return await skeletons(watched, ["job-all", *(f"job-{number}" for number in range(0, len(texts), 8))])


async def _are_shown(watched: Watched, texts: Sequence[str]) -> None:
    """The texts are there to read, with control characters made visible."""
    await watched.skeleton("/job?tenant_id=acme&job_id=job-all")
    content = await watched.page.text_content("main")
    assert content is not None
    assert [text for text in texts if printable(text) not in content] == []


async def test_an_image_is_shown_and_a_page_is_downloaded(live_redis: RedisServer, tmp_path: Path) -> None:
    store = ArtifactStore.open((tmp_path / "kept").as_uri(), tmp_path)
    ref = JobRef("acme", "job-0")
    png = await store.put(ref, 1, "screenshot", "image/png", PNG)
    html = await store.put(ref, 1, "html", "image/png", b"<script>window.ran=1</script>")
    async with status_page(page_settings(live_redis.url, tmp_path)) as site, browsing(site, "acme") as watched:
        await seed(live_redis, site.api.queue, ["x"])
        await sign_in(watched.page, site, "acme")
        live_redis.command("SET", "pw:result:acme:job-0", _result_with(png.url, html.url))
        watched.allowed_errors = ("404 (Not Found)",)
        await watched.skeleton("/job?tenant_id=acme&job_id=job-0")
        sizes = await watched.page.evaluate("Promise.all([...document.images].map(each => each.naturalWidth))")
        assert sizes == [1, 0], "the second is no image, whatever its record says"
        async with watched.page.expect_download() as download:
            await watched.page.click("tbody th a >> nth=1")
        assert (await (await download.value).path()).read_bytes() == b"<script>window.ran=1</script>"
        assert watched.found == []
        await watched.page.click("text=Sign out")
        assert watched.page.url == site.url + "/sign-in"
        await watched.page.goto(site.url + "/jobs")
        assert watched.page.url == site.url + "/sign-in"


def _result_with(*urls: str) -> str:
    parts = [{"kind": "k", "url": url, "sha256": "0" * 64, "bytes": 1, "content_type": "image/png"} for url in urls]
    return json.dumps({"job_id": "job-0", "tenant_id": "acme", "status": "succeeded", "artifacts": parts})

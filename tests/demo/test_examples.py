"""The example modules against the real shop with a real browser; no sandbox, no queue."""

import importlib.util
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from playwright.async_api import BrowserContext, Locator, Page, async_playwright

from pageworker import Blocked, Context, Download, DownloadedFile, Failed, Helpers, JobFile, ProfileState
from pageworker.once import OnceAct, OnceState
from pageworker.sink import Level
from pageworker_demo.loopback_server import served
from pageworker_demo.shop import Shop
from pageworker_demo.shop_data import PRODUCTS

EXAMPLES = Path(__file__).parents[2] / "examples"
BROWSERS = ("/usr/lib/chromium/chromium-headless-shell", "/usr/lib/chromium/chromium")

pytestmark = pytest.mark.browser


class ListSink:
    """A sink that keeps what it is given in lists."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.artifacts: list[str] = []
        self.secrets = {"shop_login": "correct-horse"}

    async def screenshot(self, page: Page, full_page: bool) -> bytes:
        return await page.screenshot(full_page=full_page)

    def har(self, kind: str, page: Page, *, bodies: bool, url: str | None) -> AbstractAsyncContextManager[None]:
        raise AssertionError("no example calls this")

    def trace(self, kind: str, page: Page, *, snapshots: bool, screenshots: bool) -> AbstractAsyncContextManager[None]:
        raise AssertionError("no example calls this")

    def span(self, name: str, attributes: Mapping[str, object]) -> AbstractContextManager[None]:
        raise AssertionError("no example calls this")

    def step(self, text: str, fields: Mapping[str, object]) -> AbstractContextManager[None]:
        raise AssertionError("no example calls this")

    def set_test_id_attribute(self, name: str) -> None:
        raise AssertionError("no example calls this")

    def profile_state(self, state: ProfileState, evidence: Mapping[str, object]) -> None:
        raise AssertionError("no example calls this")

    async def artifact(self, kind: str, data: bytes, content_type: str) -> None:
        self.artifacts.append(kind)

    async def download(self, kind: str, download: Download) -> DownloadedFile:
        raise AssertionError("no example calls this")

    async def file(self, name: str) -> JobFile:
        return JobFile(name, "application/pdf", "", b"%PDF-1.7")

    async def detect_blocker(self) -> Blocked | None:
        return None

    async def secret(self, name: str) -> str:
        return self.secrets[name]

    async def totp(self, name: str) -> str:
        return "123456"

    async def once(self, key: str, act: OnceAct, value: object) -> tuple[OnceState, object]:
        raise AssertionError("no example calls this")

    async def fill_secret(self, locator: Locator, name: str) -> None:
        await locator.fill(self.secrets[name])

    def log(self, level: Level, message: str, fields: Mapping[str, object]) -> None:
        self.lines.append(message)


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / name / name / "__init__.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
async def shop_url() -> AsyncIterator[str]:
    async with served(Shop().app) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
async def browser_context() -> AsyncIterator[BrowserContext]:
    found = next(path for path in BROWSERS if Path(path).is_file())
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found)
        yield await browser.new_context()
        await browser.close()


async def handle(
    name: str, context: BrowserContext, payload: dict[str, Any], sink: ListSink | None = None
) -> dict[str, Any]:
    page = await context.new_page()
    helpers = Helpers(page, sink or ListSink())
    attempt_context = Context(
        job_id="j1",
        tenant_id="acme",
        profile_id="ada",
        attempt=1,
        trace_id="0" * 32,
        module=name,
        version="1.0.0",
        worker_id="w",
        runner_id="r",
        deadline=float("inf"),
    )
    data: dict[str, Any] = await example(name).handler(page, payload, helpers, attempt_context)
    return data


async def test_a_product_is_read_from_its_structured_data(shop_url: str, browser_context: BrowserContext) -> None:
    for product in PRODUCTS.values():
        data = await handle("shop_product", browser_context, {"url": f"{shop_url}/products/{product.sku}"})
        assert data == {
            "title": product.title,
            "price": product.price,
            "currency": product.currency,
            "availability": product.availability,
            "sku": product.sku,
        }


async def test_a_product_without_structured_data_is_read_from_the_page(
    shop_url: str, browser_context: BrowserContext
) -> None:
    async def without_linked_data(route: Any) -> None:
        response = await route.fetch()
        await route.fulfill(body=(await response.text()).replace("application/ld+json", "text/plain"))

    await browser_context.route("**/products/KTL-01", without_linked_data)
    data = await handle("shop_product", browser_context, {"url": f"{shop_url}/products/KTL-01"})
    assert (data["title"], data["price"], data["currency"]) == ("Enamel kettle", "39.90", "EUR")


async def test_a_product_that_does_not_exist_is_final(shop_url: str, browser_context: BrowserContext) -> None:
    with pytest.raises(Failed) as caught:
        await handle("shop_product", browser_context, {"url": f"{shop_url}/products/NONE-00"})
    assert (caught.value.type, caught.value.retryable) == ("no_such_product", False)


async def test_a_session_is_kept_from_job_to_job(shop_url: str, browser_context: BrowserContext) -> None:
    payload = {"url": shop_url, "user": "ada"}
    first = await handle("shop_account", browser_context, payload)
    second = await handle("shop_account", browser_context, payload)
    assert (first["logged_in_before"], second["logged_in_before"]) == (False, True)
    assert second["member"] == "ada"


async def test_a_refused_login_is_final(shop_url: str, browser_context: BrowserContext) -> None:
    sink = ListSink()
    sink.secrets["shop_login"] = "guess"
    with pytest.raises(Failed) as caught:
        await handle("shop_account", browser_context, {"url": shop_url, "user": "ada"}, sink)
    assert (caught.value.type, caught.value.retryable) == ("login_refused", False)


async def test_a_captcha_blocks(shop_url: str, browser_context: BrowserContext) -> None:
    with pytest.raises(Blocked) as caught:
        await handle("shop_trouble", browser_context, {"url": shop_url, "mode": "captcha"})
    assert (caught.value.kind, caught.value.provider) == ("captcha", "shopguard")
    assert caught.value.evidence["sitekey"] == "demo-0000-0000"


async def test_a_shop_that_is_down_may_be_tried_again(shop_url: str, browser_context: BrowserContext) -> None:
    with pytest.raises(Failed) as caught:
        await handle("shop_trouble", browser_context, {"url": shop_url, "mode": "failing"})
    assert (caught.value.type, caught.value.retryable) == ("shop_unavailable", True)


async def test_echo_returns_what_it_is_given(browser_context: BrowserContext) -> None:
    assert await handle("demo_echo", browser_context, {"a": [1, None]}) == {"a": [1, None]}


def test_examples_stay_small() -> None:
    for source in EXAMPLES.glob("*/*/__init__.py"):
        assert len(source.read_text().splitlines()) <= 60, source

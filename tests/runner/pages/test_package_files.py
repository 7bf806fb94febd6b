"""Calls of Playwright that take a path take a file of the module's package."""

import io
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Error as BrowserError
from pw_runner.bundles import pack
from pw_runner.site import Request, SiteAnswer
from pw_runner.supervisor import Supervisor

from pageworker_runner.pages.package_files import (
    PackageFile,
    find,
    find_folder,
    folder_of,
    har_of,
    with_payloads,
)

Start = Callable[..., Awaitable[Supervisor]]
FILES = {
    "shop@1.0.0/shop/orders.csv": b"a,b",
    "shop@1.0.0/shop/x.bin2": b"\0",
    "shop@1.0.0/shop/sub/more.txt": b"more",
}
ORDERS = {"name": "orders.csv", "mimeType": "text/csv", "buffer": b"a,b"}


def archive() -> zipfile.ZipFile:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as made:
        made.writestr("shop/orders.csv", b"a,b")
        made.writestr("shop/sub/more.txt", b"more")
        made.writestr("shopping/list.txt", b"none of it")
    return zipfile.ZipFile(written)


@pytest.mark.parametrize(
    "path",
    [
        "shop@1.0.0/shop/orders.csv",
        Path("shop@1.0.0/shop/orders.csv"),
        Path("/shop@1.0.0/shop/../shop/orders.csv"),
        zipfile.Path(archive()) / "shop" / "orders.csv",
    ],
)
def test_a_path_of_the_package_is_its_file(path: object) -> None:
    assert find(path, FILES.get) == PackageFile("orders.csv", b"a,b")


@pytest.mark.parametrize(
    "path", ["orders.csv", Path("/etc/passwd"), "", None, ORDERS, 7, zipfile.Path(archive()) / "shop", b"x"]
)
def test_anything_else_is_no_file_of_the_package(path: object) -> None:
    assert find(path, FILES.get) is None


def test_uploads_keep_their_form() -> None:
    inside, outside = "shop@1.0.0/shop/orders.csv", Path("/tmp/orders.csv")
    assert with_payloads(inside, FILES.get) == ORDERS
    assert with_payloads([inside, ORDERS], FILES.get) == [ORDERS, ORDERS]
    assert with_payloads((inside,), FILES.get) == [ORDERS]
    assert with_payloads(outside, FILES.get) == outside
    assert with_payloads([], FILES.get) == []
    assert with_payloads("shop@1.0.0/shop/x.bin2", FILES.get)["mimeType"] == "application/octet-stream"


def listed(path: str) -> list[str]:
    return [name for name in FILES if name.startswith(f"{path}/")]


@pytest.mark.parametrize(
    "path", ["shop@1.0.0/shop/sub/", Path("/shop@1.0.0/shop/sub"), zipfile.Path(archive(), "shop/sub/")]
)
def test_a_path_of_a_folder_is_its_files(path: object) -> None:
    assert find_folder(path, FILES.get, listed) == ("sub", {"more.txt": b"more"})


def test_a_folder_has_the_files_of_its_folders() -> None:
    below = find_folder(zipfile.Path(archive()) / "shop", FILES.get, listed)
    assert below == ("shop", {"orders.csv": b"a,b", "sub/more.txt": b"more"})


@pytest.mark.parametrize("path", ["shop@1.0.0/shop/orders.csv", "shop@1.0.0/none", "/tmp", None, ORDERS])
def test_anything_else_is_no_folder_of_the_package(path: object) -> None:
    assert find_folder(path, FILES.get, listed) is None


def test_a_folder_above_is_refused() -> None:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as made:
        made.writestr("../orders.csv", b"a,b")
    with pytest.raises(BrowserError, match=r"A folder named \.\. cannot be uploaded"):
        find_folder(zipfile.Path(zipfile.ZipFile(written), "../"), FILES.get, listed)


def test_one_folder_is_uploaded_and_nothing_beside_it() -> None:
    folder, file = "shop@1.0.0/shop/sub", "shop@1.0.0/shop/orders.csv"
    assert folder_of([folder], FILES.get, listed) == ("sub", {"more.txt": b"more"})
    assert folder_of([file, ORDERS], FILES.get, listed) is None
    with pytest.raises(BrowserError, match="Multiple directories are not supported"):
        folder_of([folder, "shop@1.0.0/shop"], FILES.get, listed)
    with pytest.raises(BrowserError, match="all files or a single directory"):
        folder_of([folder, file], FILES.get, listed)


def test_only_a_har_of_the_package_is_opened() -> None:
    assert har_of(Path("/tmp/shop.har"), FILES.get) is None
    with pytest.raises(ValueError, match=r"orders\.csv is not a HAR file"):
        har_of("shop@1.0.0/shop/orders.csv", FILES.get)


READS = """
from importlib.resources import files
from pathlib import Path
from pageworker import *

HERE = {"resource": files(__package__), "file": Path(__file__).parent}

async def handler(page, payload, helpers, context):
    here = HERE[payload["by"]]
    await page.add_init_script(path=here / "init.js")
    await page.route("**/orders", lambda route: route.fulfill(path=here / "orders.csv"))
    await page.goto("http://shop.example/p")
    await page.add_script_tag(path=here / "tag.js")
    await page.add_style_tag(path=here / "tag.css")
    await page.set_input_files("input", [here / "orders.csv", here / "sub/more.txt"])
    return {
        "init": await page.evaluate("window.fromInit"),
        "tag": await page.evaluate("window.fromTag"),
        "style": await page.evaluate("getComputedStyle(document.body).color"),
        "answer": await page.evaluate("fetch('/orders').then(each => each.text())"),
        "files": await page.evaluate("Promise.all([...document.querySelector('input').files]"
                                     ".map(async each => [each.name, each.type, await each.text()]))"),
    }
"""
MODULE = pack(
    {
        "job/__init__.py": READS,
        "job/init.js": "window.fromInit = 'grüß'",
        "job/tag.js": "window.fromTag = 2",
        "job/tag.css": "body { color: rgb(1, 2, 3) }",
        "job/orders.csv": "a,b",
        "job/sub/more.txt": "more",
    },
    entrypoint="job:handler",
)
HAR = """{"log": {"entries": [{"request": {"url": "http://shop.example/har", "method": "GET"},
  "response": {"status": 200, "headers": [{"name": "content-type", "value": "text/html"}],
               "content": {"_file": "sub/more.txt"}}}]}}"""
CALLS = """
from importlib.resources import files
from pathlib import Path
from playwright.async_api import FormData

HERE = {"resource": files(__package__), "file": Path(__file__).parent}

async def handler(page, payload, helpers, context):
    return await globals()[payload["call"]](page, HERE[payload["by"]])

async def by_page(page, here):
    return await replay(page, page, here)

async def by_context(page, here):
    return await replay(page.context, page, here)

async def replay(owner, page, here):
    await owner.route_from_har(here / "shop.har", url="**/har")
    await page.goto("http://shop.example/har")
    replayed = await page.inner_text("body")
    await owner.unroute_all()
    await page.goto("http://shop.example/har")
    return {"replayed": replayed, "then": await page.inner_text("body")}

async def kept(page, here):
    await page.route_from_har(here / "shop.har", url="**/har")
    await page.context.route_from_har(here / "shop.har", url="**/har")
    return {}

async def plain(page, here):
    await page.goto("http://shop.example/har")
    return {"text": await page.inner_text("body")}

async def elsewhere(page, here):
    await page.route_from_har("/tmp/shop.har")

async def folder(page, here):
    await page.set_content("<input type=file webkitdirectory>")
    await page.set_input_files("input", here / "sub")
    return {"files": await page.evaluate("Promise.all([...document.querySelector('input').files]"
                                         ".map(async each => [each.webkitRelativePath, await each.text()]))")}

async def form(page, here):
    form = FormData()
    form.set("orders", here / "orders.csv")
    await page.request.post("http://shop.example/form", multipart=form)
    return {}
"""
REPLAY = pack(
    {
        "replay/__init__.py": CALLS,
        "replay/shop.har": HAR,
        "replay/orders.csv": "a,b",
        "replay/sub/more.txt": "more",
        "replay/sub/deep/most.txt": "most",
    },
    name="shop.replay",
    entrypoint="replay:handler",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def runner() -> AsyncIterator[Supervisor]:
    def shop(request: Request) -> SiteAnswer:
        return SiteAnswer("<body><input type=file multiple></body>")

    supervisor = await Supervisor(pages=1).start()
    supervisor.site.pages["/p"] = shop
    supervisor.site.pages["/har"] = SiteAnswer("<body>the site</body>")
    supervisor.site.pages["/form"] = SiteAnswer("")
    yield supervisor
    await supervisor.close()


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("by", ["resource", "file"])
async def test_playwright_reads_files_of_the_package(runner: Supervisor, by: str) -> None:
    assert (await runner.run(MODULE, {"by": by})).data == {
        "init": "grüß",
        "tag": 2,
        "style": "rgb(1, 2, 3)",
        "answer": "a,b",
        "files": [["orders.csv", "text/csv", "a,b"], ["more.txt", "text/plain", "more"]],
    }


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("by", ["resource", "file"])
@pytest.mark.parametrize("call", ["by_page", "by_context"])
async def test_a_har_of_the_package_answers_until_it_is_unrouted(runner: Supervisor, by: str, call: str) -> None:
    data = (await runner.run(REPLAY, {"by": by, "call": call})).data
    assert data == {"replayed": "more", "then": "the site"}


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="module")
async def test_a_har_does_not_answer_the_next_job(runner: Supervisor) -> None:
    await runner.run(REPLAY, {"by": "file", "call": "kept"})
    assert (await runner.run(REPLAY, {"by": "file", "call": "plain"})).data == {"text": "the site"}
    assert runner.retired == []


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="module")
async def test_a_har_elsewhere_is_refused(runner: Supervisor) -> None:
    report = await runner.run(REPLAY, {"by": "file", "call": "elsewhere"})
    assert report.failure.type == "refused"
    assert "not in the module's package" in report.failure.message


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="module")
async def test_a_form_takes_a_file_of_the_package(runner: Supervisor) -> None:
    await runner.run(REPLAY, {"by": "file", "call": "form"})
    (sent,) = runner.site.requested("/form")
    assert b'filename="orders.csv"' in sent.body
    assert b"a,b" in sent.body


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("by", ["resource", "file"])
async def test_a_folder_of_the_package_is_uploaded_and_costs_the_runner(start: Start, by: str) -> None:
    runner = await start(pages=1)
    data = (await runner.run(REPLAY, {"by": by, "call": "folder"})).data
    assert data is not None
    assert sorted(data["files"]) == [["sub/deep/most.txt", "most"], ["sub/more.txt", "more"]]
    # The driver keeps the files in the runner's scratch folder.
    assert runner.retire_causes == ["state"]
    assert "BrowserContext.createTempFiles" in runner.retired[0]

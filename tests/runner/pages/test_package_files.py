"""Calls of Playwright that take a path take a file of the module's package."""

import io
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from pw_runner.bundles import pack
from pw_runner.site import Request, SiteAnswer
from pw_runner.supervisor import Supervisor

from pageworker_runner.pages.package_files import PackageFile, find, with_payloads

FILES = {"shop@1.0.0/shop/orders.csv": b"a,b", "shop@1.0.0/shop/x.bin2": b"\0"}
ORDERS = {"name": "orders.csv", "mimeType": "text/csv", "buffer": b"a,b"}


def archive() -> zipfile.ZipFile:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as made:
        made.writestr("shop/orders.csv", b"a,b")
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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def runner() -> AsyncIterator[Supervisor]:
    def shop(request: Request) -> SiteAnswer:
        return SiteAnswer("<body><input type=file multiple></body>")

    supervisor = await Supervisor(pages=1).start()
    supervisor.site.pages["/p"] = shop
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

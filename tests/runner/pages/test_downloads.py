"""Files that pages download: kept by a helper, and never left for another job."""

import hashlib

import pytest
from pw_runner.bundles import handler
from pw_runner.site import SiteAnswer
from pw_runner.supervisor import Supervisor

from pageworker_runner.pages.downloads import name_of
from pageworker_sandbox.wire.messages import MAX_ARTIFACT_BYTES

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

PDF = "%PDF-1.4 no more than its first line"
ATTACHMENT = ("Content-Disposition: attachment; filename=invoice-7.pdf",)
CLICK = """
    await page.goto("http://shop.example/orders")
    async with page.expect_download() as started:
        await page.click("a")
    file = await helpers.download(await started.value, kind="invoice")
    return {"name": file.name, "url": file.url, "type": file.content_type, "bytes": file.bytes, "sha256": file.sha256}
"""
BLOB = """<a href=#>save</a><script>document.querySelector('a').onclick = () => {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob(['a,b']));
  link.download = 'table.csv';
  link.click();
}</script>"""


async def test_a_click_on_an_attachment_is_kept(runner: Supervisor) -> None:
    runner.site.pages["/orders"] = SiteAnswer("<a href=/invoice>Invoice</a>")
    runner.site.pages["/invoice"] = SiteAnswer(PDF, headers=ATTACHMENT, content_type="application/pdf")
    report = await runner.run(handler(CLICK, name="clicks"))
    assert report.data == {
        "name": "invoice-7.pdf",
        "url": "http://shop.example/invoice",
        "type": "application/pdf",
        "bytes": len(PDF),
        "sha256": hashlib.sha256(PDF.encode()).hexdigest(),
    }
    ((message, data),) = report.artifacts
    assert (message.kind, message.content_type, data) == ("invoice", "application/pdf", PDF.encode())


async def test_a_file_that_a_script_makes_is_kept(runner: Supervisor) -> None:
    runner.site.pages["/orders"] = SiteAnswer(BLOB)
    report = await runner.run(handler(CLICK, name="blobs"))
    assert [(message.content_type, data) for message, data in report.artifacts] == [("text/csv", b"a,b")]


async def test_a_navigation_that_brings_a_file_says_so_and_how_to_get_it(runner: Supervisor) -> None:
    runner.site.pages["/invoice"] = SiteAnswer(PDF, headers=ATTACHMENT, content_type="application/pdf")
    report = await runner.run(handler("await page.goto('http://shop.example/invoice')", name="opens"))
    assert (report.failure.type, report.failure.retryable) == ("download", False)
    assert "helpers.download" in report.failure.message
    body = """
        async with page.expect_download() as started:
            try:
                await page.goto("http://shop.example/invoice")
            except Exception:
                pass
        return {"bytes": (await helpers.download(await started.value)).bytes}
    """
    assert (await runner.run(handler(body, name="takes"))).data == {"bytes": len(PDF)}


async def test_a_download_that_is_not_kept_is_gone_with_its_job(runner: Supervisor) -> None:
    runner.site.pages["/orders"] = SiteAnswer("<a href=/invoice>Invoice</a>")
    runner.site.pages["/invoice"] = SiteAnswer(PDF, headers=ATTACHMENT)
    module = handler(
        """
        if KEPT:
            await helpers.download(KEPT[0])
        await page.goto("http://shop.example/orders")
        async with page.expect_download() as started:
            await page.click("a")
        KEPT.append(await started.value)
        await KEPT[0].failure()
        return {}
        """,
        name="keeps",
        before="KEPT = []",
    )
    assert (await runner.run(module)).data == {}
    report = await runner.run(module)
    assert report.failure.type in ("handler_error", "page_closed")
    assert report.artifacts == [] or {message.kind for message, _ in report.artifacts} <= {
        "screenshot",
        "html",
        "console",
        "network",
    }


async def test_an_endless_download_does_not_hold_its_page(runner: Supervisor) -> None:
    runner.site.pages["/orders"] = SiteAnswer("<a href=/endless>Invoice</a>")
    runner.site.pages["/endless"] = SiteAnswer(PDF, headers=ATTACHMENT, unfinished=True)
    report = await runner.run(handler(CLICK, name="waits"), timeout_seconds=2)
    assert report.done is not None
    assert report.done.outcome == "timed_out"
    assert (await runner.run(handler("return {}", name="next"))).data == {}


async def test_a_file_past_the_limit_of_artifacts_is_refused(runner: Supervisor) -> None:
    runner.site.pages["/orders"] = SiteAnswer("<a href=/invoice>Invoice</a>")
    runner.site.pages["/invoice"] = SiteAnswer("x" * (MAX_ARTIFACT_BYTES + 1), headers=ATTACHMENT)
    report = await runner.run(handler(CLICK, name="large"))
    assert (report.failure.type, report.failure.retryable) == ("output_limit", False)


async def test_a_path_is_refused_with_the_way_instead(runner: Supervisor) -> None:
    runner.site.pages["/orders"] = SiteAnswer("<a href=/invoice>Invoice</a>")
    runner.site.pages["/invoice"] = SiteAnswer(PDF, headers=ATTACHMENT)
    body = """
        await page.goto("http://shop.example/orders")
        async with page.expect_download() as started:
            await page.click("a")
        await (await started.value).save_as("/profile/x")
    """
    report = await runner.run(handler(body, name="saves"))
    assert report.failure.type == "refused"
    assert "helpers.download" in report.failure.message


class NamedDownload:
    """Suggests a name, as Playwright's Download does."""

    def __init__(self, suggested_filename: str) -> None:
        self.suggested_filename = suggested_filename


@pytest.mark.parametrize(
    ("suggested", "name"),
    [
        ("a.pdf", "a.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\x\\a.pdf", "a.pdf"),
        ("", "download"),
        ("x/", "download"),
    ],
)
async def test_a_name_has_no_folder(suggested: str, name: str) -> None:
    download: object = NamedDownload(suggested)
    assert name_of(download) == name  # type: ignore[arg-type]  # it has what is read

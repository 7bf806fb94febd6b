"""Downloads one invoice, and stores it beside the result."""

from typing import Any

from pageworker import Context, Failed, Helpers, Page


async def handler(page: Page, payload: dict[str, Any], helpers: Helpers, context: Context) -> dict[str, Any]:
    """From `{"url", "number"}` to `{"name", "bytes", "sha256"}` of the artifact `invoice`."""
    await page.goto(payload["url"], wait_until="domcontentloaded")
    await helpers.wait_for("the list of invoices", "#invoices")
    link = page.locator("#invoices a", has_text=payload["number"])
    if not await link.count():
        raise Failed(f"There is no invoice {payload['number']}.", type="no_such_invoice")
    async with page.expect_download() as started:
        await link.first.click()
    file = await helpers.download(await started.value, kind="invoice")
    helpers.step("invoice stored", name=file.name, bytes=file.bytes)
    return {"name": file.name, "bytes": file.bytes, "sha256": file.sha256}

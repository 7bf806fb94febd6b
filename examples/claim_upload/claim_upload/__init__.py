"""Sends a form with a file, at most once per job."""

import base64
from typing import Any

from pageworker import Context, Failed, Helpers, Page


async def handler(page: Page, payload: dict[str, Any], helpers: Helpers, context: Context) -> dict[str, Any]:
    """From `{"url", "subject", "file": {"name", "content_type", "base64"}}` to `{"number", "sent_before"}`."""
    await page.goto(payload["url"], wait_until="domcontentloaded")
    claim = await helpers.once("claim")
    if claim.state == "unknown":
        # This site lists what it has got.
        sent = await helpers.extract({"number": "#last-claim@data-number"})
        if sent["number"] is None:
            raise Failed("An earlier attempt may have sent the claim: look before you retry.", type="claim_unknown")
        await claim.done(sent["number"])
    if claim.state == "done":
        return {"number": claim.value, "sent_before": True}
    await page.fill("[name=subject]", payload["subject"])
    file = payload["file"]
    data = base64.b64decode(file["base64"])
    await page.set_input_files("[name=file]", {"name": file["name"], "mimeType": file["content_type"], "buffer": data})
    with helpers.step("send", bytes=len(data)):
        await page.click("button[type=submit]")
        answer = await helpers.which({"sent": "#number", "refused": "[role=alert]"})
    if answer == "refused":
        await claim.not_done()
        raise Failed("The site refused the form.", type="claim_refused")
    number = await page.inner_text("#number")
    await claim.done(number)
    return {"number": number, "sent_before": False}

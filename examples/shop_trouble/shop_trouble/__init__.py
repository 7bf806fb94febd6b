"""Runs into trouble on purpose, and says so properly: a captcha, a shop that is down, a page that never comes."""

from typing import Any

from pageworker import Context, Failed, Helpers, Page

PATHS = {"captcha": "/guarded", "failing": "/broken", "slow": "/slow?seconds=20"}
CAPTCHA = ".shopguard-captcha"


async def handler(page: Page, payload: dict[str, Any], helpers: Helpers, context: Context) -> dict[str, Any]:
    """`{"url", "mode"}`; never returns anything useful."""
    response = await page.goto(payload["url"].rstrip("/") + PATHS[payload["mode"]])
    if widget := await page.query_selector(CAPTCHA):
        sitekey = await widget.get_attribute("data-sitekey")
        # A blocker is an answer, not an error: it is reported, not retried and not worked around.
        helpers.blocked("captcha", "shopguard", selector=CAPTCHA, sitekey=sitekey)
    if response is not None and response.status >= 500:
        incident = await page.text_content("#incident")
        # The worker keeps a screenshot and the HTML of whatever the page shows now.
        raise Failed(
            "the shop is out of order",
            type="shop_unavailable",
            retryable=True,
            detail={"status": response.status, "incident": incident},
        )
    return {"title": await page.title()}

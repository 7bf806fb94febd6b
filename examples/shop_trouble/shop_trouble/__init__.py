"""Runs into trouble on purpose and reports it: a captcha, a shop that is down, a page that is too slow."""

from typing import Any

from pageworker import Context, Failed, Helpers, Page

PATHS = {"captcha": "/guarded", "failing": "/broken", "slow": "/slow?seconds=20"}
CAPTCHA = ".shopguard-captcha"


async def handler(page: Page, payload: dict[str, Any], helpers: Helpers, context: Context) -> dict[str, Any]:
    """`{"url", "mode"}`. It returns only if the page is neither blocked nor down nor slow."""
    response = await page.goto(payload["url"].rstrip("/") + PATHS[payload["mode"]])
    if widget := await page.query_selector(CAPTCHA):
        sitekey = await widget.get_attribute("data-sitekey")
        # A blocker is a result, not an error. It is reported, neither retried nor defeated.
        helpers.blocked("captcha", "shopguard", selector=CAPTCHA, sitekey=sitekey)
    if response is not None and response.status >= 500:
        incident = await page.text_content("#incident")
        # The worker keeps a screenshot and the HTML of the page as it is now.
        raise Failed(
            "The shop is down.",
            type="shop_unavailable",
            retryable=True,
            detail={"status": response.status, "incident": incident},
        )
    return await helpers.extract({"title": "title"})

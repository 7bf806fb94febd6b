"""Reads a member's account. Logs in first if the profile is not logged in."""

from typing import Any

from pageworker import Context, Failed, Helpers, Page

LOGIN = "form[action='/login']"
MEMBER = "#member"


async def handler(page: Page, payload: dict[str, Any], helpers: Helpers, context: Context) -> dict[str, Any]:
    """From `{"url", "user"}` and the secret `shop_login` to `{"member", "orders", "logged_in_before"}`."""
    await page.goto(payload["url"].rstrip("/") + "/account", wait_until="domcontentloaded")
    logged_in_before = await helpers.which({"yes": MEMBER, "no": LOGIN}) == "yes"
    if not logged_in_before:
        await log_in(page, payload["user"], helpers)
    account = await helpers.extract({"member": MEMBER, "orders": "#orders"}, required=["member", "orders"])
    if account["member"] != payload["user"]:
        raise Failed(f"Profile {context.profile_id} is logged in as another member.", type="wrong_member")
    return {
        "member": account["member"],
        "orders": int(account["orders"] or 0),
        "logged_in_before": logged_in_before,
    }


async def log_in(page: Page, user: str, helpers: Helpers) -> None:
    """Fill in the login form. Raises Failed (not retryable) if the shop refuses the login."""
    await page.fill("[name=user]", user)
    await helpers.fill_secret("[name=password]", "shop_login")
    await page.click(f"{LOGIN} button")
    if await helpers.which({"in": MEMBER, "refused": "[role=alert]"}) == "refused":
        raise Failed("The shop refused the name or the password.", type="login_refused")
    helpers.log.info("logged in", user=user)

"""Logs in with a password and a one-time password, and reads who is logged in."""

from typing import Any

from pageworker import Context, Failed, Helpers, Page


async def handler(page: Page, payload: dict[str, Any], helpers: Helpers, context: Context) -> dict[str, Any]:
    """From `{"url", "user"}` and the secrets `portal_password` and `portal_totp` to `{"member"}`."""
    await page.goto(payload["url"], wait_until="domcontentloaded")
    with helpers.step("name and password"):
        await page.fill("[name=user]", payload["user"])
        await helpers.fill_secret("[name=password]", "portal_password")
        await page.click("button[type=submit]")
        await _accepted(helpers, "[name=code]", "the password")
    with helpers.step("one-time password"):
        # Asked for when it is needed: it is valid for some seconds.
        await page.fill("[name=code]", await helpers.totp("portal_totp"))
        await page.click("button[type=submit]")
        await _accepted(helpers, "#member", "the one-time password")
    helpers.profile_state("authenticated")
    return await helpers.extract({"member": "#member"}, required=["member"])


async def _accepted(helpers: Helpers, target: str, what: str) -> None:
    """Wait for what follows. Raises Failed (not retryable): repeated wrong logins lock accounts."""
    if await helpers.which({"in": target, "refused": "[role=alert]"}) == "refused":
        raise Failed(f"The portal refused {what}.", type="login_refused")

"""The options of the browser context as Playwright takes them, and the way back to them after a job."""

from typing import Any

import msgspec
from playwright.async_api import BrowserContext, ViewportSize
from playwright.async_api import Geolocation as Place

from pageworker_sandbox.wire.page_options import PageOptions

VIEWPORT = ViewportSize(width=1280, height=720)
"""Where the options name no other."""
NOT_PLAYWRIGHTS = frozenset({"block", "block_hosts", "ca"})
"""Options that the browser gets in another way."""


def launch_options(options: PageOptions) -> dict[str, Any]:
    """Arguments of `launch_persistent_context`, by name."""
    given = {name: value for name, value in options.given().items() if name not in NOT_PLAYWRIGHTS}
    plain: dict[str, Any] = msgspec.to_builtins(given)
    if "permissions" in plain:
        plain["permissions"] = list(plain["permissions"])
    return {**plain, "viewport": viewport(options)}


def viewport(options: PageOptions) -> ViewportSize:
    """The size of an unused page."""
    size = options.viewport
    return VIEWPORT if size is None else ViewportSize(width=size.width, height=size.height)


def geolocation(options: PageOptions) -> Place | None:
    """Where an unused browser context is."""
    place = options.geolocation
    if place is None:
        return None
    return Place(latitude=place.latitude, longitude=place.longitude, accuracy=place.accuracy)


async def reset_permissions(context: BrowserContext, options: PageOptions) -> None:
    """Take every permission away but those of the options. Raises Playwright's Error."""
    await context.clear_permissions()
    if options.permissions:
        await context.grant_permissions(list(options.permissions))

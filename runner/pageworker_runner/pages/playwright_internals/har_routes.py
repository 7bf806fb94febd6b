"""Routes of Playwright's client that answer from a HAR."""

import base64
from collections.abc import Callable
from typing import Any

from playwright._impl.har_router import HarRouter

from pageworker_runner.pages.har_archive import HarAnswer, HarArchive, HarHeader, HarQuery, HarRedirect, HarUnreadable
from pageworker_runner.pages.playwright_internals.client_methods import Method, intercept_method


def intercept_har_routes(find: Callable[[Any], HarArchive | None]) -> None:
    """Have `route_from_har` answer from `find(har)`, unless that is None."""

    def by_page(plain: Method) -> Method:
        return _routed(plain, find, lambda router, page: router.add_page_route(page))

    def by_context(plain: Method) -> Method:
        return _routed(plain, find, lambda router, context: router.add_context_route(context))

    intercept_method("Page", "route_from_har", by_page)
    intercept_method("BrowserContext", "route_from_har", by_context)


def _routed(plain: Method, find: Callable[[Any], HarArchive | None], add: Callable[[HarRouter, Any], Any]) -> Method:
    async def route_from_har(owner: Any, har: Any, url: Any, not_found: Any, update: Any, **more: Any) -> None:
        archive = None if update else find(har)
        if archive is None:
            await plain(owner, har=har, url=url, not_found=not_found, update=update, **more)
            return
        # Any: it has the two methods that HarRouter calls, and is no LocalUtils.
        backend: Any = HarBackend(archive)
        router = HarRouter(backend, "", not_found or "abort", url)
        # As in the client: `unroute_all` disposes of these.
        owner._har_routers.append(router)
        await add(router, owner)

    return route_from_har


class HarBackend:
    """In place of the driver's: the two commands that the client's router sends."""

    def __init__(self, archive: HarArchive) -> None:
        self.archive = archive

    async def har_lookup(self, params: dict[str, Any]) -> dict[str, Any]:
        """What answers one request, as the driver says it."""
        post_data = params["postData"]
        query = HarQuery(
            url=params["url"],
            method=params["method"],
            headers=tuple(HarHeader(each["name"], each["value"]) for each in params["headers"]),
            post_data=None if post_data is None else base64.b64decode(post_data),
            is_navigation=params["isNavigationRequest"],
        )
        try:
            found = self.archive.lookup(query)
        except HarUnreadable as error:
            return {"action": "error", "message": str(error)}
        match found:
            case HarRedirect(url):
                return {"action": "redirect", "redirectURL": url}
            case HarAnswer(status, headers, body):
                named = [{"name": each.name, "value": each.value} for each in headers]
                coded = base64.b64encode(body).decode()
                return {"action": "fulfill", "status": status, "headers": named, "body": coded}
            case None:
                return {"action": "noentry"}

    async def har_close(self, params: dict[str, Any]) -> None:
        """The route is gone."""

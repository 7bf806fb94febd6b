"""Redirects of `page.request`, as Playwright's driver follows them. Pure.

Source: `_sendRequest` of the driver's APIRequestContext (Playwright 1.65), after https://fetch.spec.whatwg.org/#http-redirect-fetch.
"""

from typing import Any
from urllib.parse import urljoin, urlsplit

from playwright.async_api import Error as BrowserError

MOST_REDIRECTS = 20
"""Playwright's default of `max_redirects`."""
_STATUSES = frozenset({301, 302, 303, 307, 308})
_BODY = ("postData", "jsonData", "formData", "multipartData")
_BODY_HEADERS = frozenset(
    {"content-encoding", "content-language", "content-length", "content-location", "content-type"}
)
_QUERY = ("params", "encodedParams")


class RedirectLoop(BrowserError):
    """More redirects than the call permits."""

    def __init__(self) -> None:
        super().__init__("Max redirect count exceeded")


def next_request(params: dict[str, Any], response: dict[str, Any]) -> dict[str, Any] | None:
    """The parameters of the request that follows this response; None: it is no redirect."""
    location = next((each["value"] for each in response["headers"] if each["name"].lower() == "location"), "")
    if response["status"] not in _STATUSES or not location:
        return None
    url = urljoin(response["url"], location)
    dropped = {"cookie", "host"}
    if _origin(url) != _origin(response["url"]):
        dropped.add("authorization")
    following = {name: value for name, value in params.items() if name not in _QUERY}
    method = (params.get("method") or "GET").upper()
    if (response["status"] in (301, 302) and method == "POST") or (
        response["status"] == 303 and method not in ("GET", "HEAD")
    ):
        following = {name: value for name, value in following.items() if name not in _BODY} | {"method": "GET"}
        dropped |= _BODY_HEADERS
    if params.get("headers") is not None:
        following["headers"] = [each for each in params["headers"] if each["name"].lower() not in dropped]
    return following | {"url": url}


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)

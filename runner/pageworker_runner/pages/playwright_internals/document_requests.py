"""The requests by which pages got their documents."""

from collections.abc import Iterator
from typing import Any

from playwright._impl.channel_owner import ChannelOwner

DocumentRequest = ChannelOwner


def with_redirects(request: Any) -> Iterator[DocumentRequest]:
    """The client's request, and those that were redirected to it."""
    while request is not None:
        yield request
        request = request._redirected_from


async def answer_headers(request: Any) -> dict[str, str]:
    """What answered the request, by lower-case names. Empty: nothing did. Raises Playwright's Error."""
    response = await request.response()
    return (
        {} if response is None else {each["name"].lower(): each["value"] for each in response._initializer["headers"]}
    )

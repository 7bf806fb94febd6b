"""What the commands to the driver and its replies refer to."""

from typing import Any

from playwright._impl.channel_owner import ChannelOwner as ChannelOwner
from playwright._impl.disposable import DisposableObject
from playwright._impl.fetch import APIRequestContext
from playwright._impl.network import Request
from playwright.async_api import BrowserContext


def type_of(target: ChannelOwner) -> str:
    """The driver's name of an object's type: `Page`."""
    return target._type


def page_guid_of(target: ChannelOwner) -> str | None:
    """Guid of the page that an object is, or belongs to. None: it belongs to no page."""
    # Any: frame and page are attributes of some subclasses only.
    owner: Any = getattr(target, "_frame", target)
    # Any: as above.
    page: Any = owner if owner._type == "Page" else getattr(owner, "_page", None)
    return None if page is None else page._guid


def frame_guid_of(target: Any) -> str:
    """Id of the frame that a navigation's command goes to: the frame itself, or a page's main frame."""
    guid: str = (target._main_frame if target._type == "Page" else target)._guid
    return guid


def is_main_frame(frame: Any) -> bool:
    """Whether the client's frame is its page's own."""
    return frame._parent_frame is None


def first_url_of(exchange: ChannelOwner) -> str:
    """The address that a request was made for, or that a response has."""
    url: str = exchange._initializer["url"]
    return url


def inspected_page_guid(context: BrowserContext, params: Any) -> str | None:
    """Guid of the page that a `newCDPSession` with these parameters inspects."""
    reference = params.get("page") or params.get("frame") or {}
    inspected = context._impl_obj._connection._objects.get(reference.get("guid", ""))
    return None if inspected is None else page_guid_of(inspected)


def opened_page_guid(reply: dict[str, Any]) -> str:
    """Guid of the page in the driver's reply to a `newPage`."""
    guid: str = reply["page"]._object._guid
    return guid


def response_headers(reply: dict[str, Any] | None) -> list[dict[str, str]]:
    """The headers in the driver's reply to a navigation: `{"name": …, "value": …}` each."""
    response = (reply or {}).get("response")
    headers: list[dict[str, str]] = response._object._initializer["headers"] if response is not None else []
    return headers


async def answer_of(request: ChannelOwner) -> tuple[int | None, dict[str, str]]:
    """Status and headers (names in lower case) of the answer to a request. Raises Playwright's Error."""
    response = await request.response() if isinstance(request, Request) else None
    return (None, {}) if response is None else (response.status, dict(response.headers))


async def dispose(reply: dict[str, Any]) -> None:
    """Undo a command that the driver answered with a disposable object: an init script, a binding."""
    owner: DisposableObject = reply["disposable"]._object
    await owner.dispose()


async def drop_response(requests: ChannelOwner, reply: dict[str, Any]) -> None:
    """Have the driver delete the body of a response to `page.request`."""
    if isinstance(requests, APIRequestContext):
        await requests._channel.disposeAPIResponse(fetchUid=reply["response"]["fetchUid"])

"""A request to the suite's server, with the names that tests use of twisted's `Request`."""

import base64
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .origin_link import OriginLink


def encoded(value: Any) -> Any:
    """As JSON can hold it: bytes are an object."""
    return {"bytes": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def decoded(value: Any) -> Any:
    """The other way round."""
    if isinstance(value, list):
        return [decoded(each) for each in value]
    return base64.b64decode(value["bytes"]) if isinstance(value, dict) else value


class RemoteObject:
    """Calls methods of an object outside."""

    def __init__(self, link: "OriginLink", number: int, prefix: str = "") -> None:
        self._link = link
        self._number = number
        self._prefix = prefix

    def _method(self, name: str, *given: Any) -> None:
        values = [encoded(each) for each in given]
        self._link.call("method", id=self._number, name=self._prefix + name, given=values)


class RequestHeaders:
    """Headers that the browser sent."""

    def __init__(self, pairs: list[tuple[bytes, list[bytes]]]) -> None:
        self._pairs = pairs

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RequestHeaders) and sorted(self._pairs) == sorted(other._pairs)

    __hash__ = None  # type: ignore[assignment]  # mypy#4266: how Python says unhashable

    def getAllRawHeaders(self) -> list[tuple[bytes, list[bytes]]]:
        """Name and values of each."""
        return self._pairs

    def getRawHeaders(self, name: str | bytes, default: Any = None) -> Any:
        """The values of one, as text if its name is text."""
        wanted = name if isinstance(name, bytes) else name.encode()
        for key, values in self._pairs:
            if key.lower() == wanted.lower():
                return values if isinstance(name, bytes) else [value.decode() for value in values]
        return default


class ResponseHeaders(RemoteObject):
    """Headers of the answer."""

    def addRawHeader(self, name: str | bytes, value: str | bytes) -> None:
        """Add one more."""
        self._method("addRawHeader", name, value)


class Transport(RemoteObject):
    """The connection."""

    def abortConnection(self) -> None:
        """Reset it."""
        self._method("abortConnection")


class HttpRequest(RemoteObject):
    """One request."""

    def __init__(self, link: "OriginLink", event: dict[str, Any]) -> None:
        super().__init__(link, event["id"])
        self.method: bytes = decoded(event["method"])
        self.uri: bytes = decoded(event["uri"])
        self.path = self.uri.partition(b"?")[0]
        self.args: dict[bytes, list[bytes]] = {decoded(name): decoded(values) for name, values in event["args"]}
        self.post_body: bytes | None = decoded(event["body"])
        self.requestHeaders = RequestHeaders([(decoded(name), decoded(values)) for name, values in event["headers"]])
        self.responseHeaders = ResponseHeaders(link, self._number, "responseHeaders.")
        self.transport = Transport(link, self._number, "transport.")

    def getHeader(self, name: str | bytes) -> Any:
        """The last value of a header, or None."""
        values = self.requestHeaders.getRawHeaders(name)
        return values[-1] if values else None

    def is_from(self, username: str, password: str) -> bool:
        """Whether it has this login."""
        login = base64.b64encode(f"{username}:{password}".encode()).decode()
        return bool(self.getHeader("authorization") == f"Basic {login}")

    def setHeader(self, name: str | bytes, value: str | bytes) -> None:
        """Of the answer."""
        self._method("setHeader", name, value)

    def setResponseCode(self, code: int, message: bytes | None = None) -> None:
        """Of the answer."""
        self._method("setResponseCode", int(code), message)

    def write(self, data: bytes) -> None:
        """A part of the answer's body."""
        self._method("write", data)

    def finish(self) -> None:
        """End the answer."""
        self._method("finish")

    def loseConnection(self) -> None:
        """Close the connection."""
        self._method("loseConnection")

    def serve_file(self, path: PurePath) -> None:
        """Answer with a file. A job has none."""
        raise PermissionError(f"{path}: a job cannot serve files")

    def decide(self, path: str, auth: Any, csp: str | None, gzip: bool, routed: bool) -> None:
        """Tell the outside how to answer."""
        self._link.call("decide", id=self._number, path=path, auth=auth, csp=csp, gzip=gzip, routed=routed)

"""Which Host headers the operator's endpoints answer: the defence against DNS rebinding.

A page of a foreign site could give its own name an address of this host, and so read the endpoints through a visitor's
browser. The Host header of such a request is that foreign name. An IP address cannot be rebound.
"""

import ipaddress
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from pageworker_supervisor.config.settings import HttpSettings
from pageworker_supervisor.contract.printable import printable

MAX_SHOWN = 80
"""Characters of a refused header in the answer."""


def host_allowed(header: str | None, allowed_hosts: Sequence[str]) -> bool:
    """Whether a Host header is an IP address, `localhost`, or one of `allowed_hosts`.

    `*.x.example` in `allowed_hosts` stands for every name below x.example. None: an HTTP/1.0 request without the
    header, which no browser sends.
    """
    if header is None:
        return True
    host = _without_port(header.strip().lower())
    if host is None:
        return False
    return host == "localhost" or _is_address(host) or any(_matches(host, known.lower()) for known in allowed_hosts)


def answered_hosts(settings: HttpSettings) -> tuple[str, ...]:
    """`http.allowed_hosts`, and the host that `http.bind` names."""
    return (*settings.allowed_hosts, settings.bind.rpartition(":")[0])


class HostHeaderCheck:
    """ASGI middleware: answers 421 (RFC 9110, 15.5.20) to every Host that is not allowed."""

    def __init__(self, app: ASGIApp, allowed_hosts: Sequence[str]) -> None:
        self._app = app
        self._allowed_hosts = tuple(allowed_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        header = Headers(scope=scope).get("host")
        if host_allowed(header, self._allowed_hosts):
            await self._app(scope, receive, send)
            return
        shown = printable((header or "")[:MAX_SHOWN])
        text = f"Host {shown!r} is not allowed: use an IP address or localhost, or add the name to http.allowed_hosts\n"
        await PlainTextResponse(text, 421, {"Cache-Control": "no-store"})(scope, receive, send)


def _without_port(header: str) -> str | None:
    if header.startswith("["):
        host, bracket, rest = header.partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            return None
        host, colon, port = host + bracket, rest[:1], rest[1:]
    else:
        host, colon, port = header.partition(":")
    if colon and not (port.isascii() and port.isdecimal()):
        return None
    return host.removesuffix(".") or None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host[1:-1] if host.startswith("[") else host)
    except ValueError:
        return False
    # An IPv6 address needs brackets: without them its last colon would begin a port.
    return host.startswith("[") == (":" in host)


def _matches(host: str, known: str) -> bool:
    return host.endswith(known[1:]) and len(host) >= len(known) if known.startswith("*.") else host == known

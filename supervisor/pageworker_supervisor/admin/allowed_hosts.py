"""Which Host headers are answered: a page of a foreign site must not reach the operator's endpoints by giving its own
name an address of this host (DNS rebinding). Such a page's Host is a name; an IP address cannot be rebound.
"""

import ipaddress
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from pageworker_supervisor.config.settings import HttpSettings
from pageworker_supervisor.contract.printable import printable

MAX_SHOWN = 80


def host_allowed(header: str | None, allowed_hosts: Sequence[str]) -> bool:
    """Whether a Host header is an IP address, `localhost`, or one of `allowed_hosts` (`*.x.example`: any name below
    x.example). None is a request of HTTP/1.0 without one, which no browser sends."""
    if header is None:
        return True
    host = _without_port(header.strip().lower())
    if host is None:
        return False
    return host == "localhost" or _is_address(host) or any(_matches(host, known.lower()) for known in allowed_hosts)


def answered_hosts(settings: HttpSettings) -> tuple[str, ...]:
    """`http.allowed_hosts`, and the host that `http.bind` itself names."""
    return (*settings.allowed_hosts, settings.bind.rpartition(":")[0])


class HostHeaderCheck:
    """Answers 421 (RFC 9110, 15.5.20) to any other Host."""

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
        text = f"Host {shown!r} is not answered: ask by IP address or as localhost, or add it to http.allowed_hosts\n"
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
    # Without brackets the colons of an IPv6 address were taken for a port's.
    return host.startswith("[") == (":" in host)


def _matches(host: str, known: str) -> bool:
    return host.endswith(known[1:]) and len(host) >= len(known) if known.startswith("*.") else host == known

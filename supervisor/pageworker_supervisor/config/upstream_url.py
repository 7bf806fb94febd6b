"""Reads the URL of an upstream proxy in `[proxies]`. Pure."""

from typing import Literal
from urllib.parse import urlsplit

from msgspec import Struct

from pageworker_sandbox.egress.errors import MalformedTarget
from pageworker_sandbox.egress.target import parse_authority
from pageworker_sandbox.hostname import HostInvalid, normalise_host

UpstreamScheme = Literal["http", "https", "socks5"]
SCHEMES: tuple[UpstreamScheme, ...] = ("http", "https", "socks5")
MAX_ENDPOINT = 255
"""Characters of `host:port` in the rules of the dialer."""


class UpstreamUrlInvalid(ValueError):
    """The text is no upstream. `expected` and `hint` say what is; neither has the text, which may hold a password."""

    def __init__(self, expected: str, hint: str = "") -> None:
        super().__init__(expected)
        self.expected = expected
        self.hint = hint


class UpstreamUrl(Struct, frozen=True):
    """An upstream proxy, in one spelling."""

    scheme: UpstreamScheme
    host: str
    port: int

    @property
    def endpoint(self) -> str:
        """`host:port`, `[address]:port` for IPv6."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.endpoint}"


EXPECTED = "http://host:port, https://host:port or socks5://host:port"


def parse_upstream(untrusted_url: str) -> UpstreamUrl:
    """Parse a URL. Raises UpstreamUrlInvalid."""
    try:
        parts = urlsplit(untrusted_url)
        port, host = parts.port, parts.hostname
    except ValueError as error:
        raise UpstreamUrlInvalid(EXPECTED) from error
    if parts.scheme not in SCHEMES:
        hint = "with socks5, `resolve` says who resolves names" if parts.scheme.startswith("socks") else ""
        raise UpstreamUrlInvalid(EXPECTED, hint)
    if "@" in parts.netloc:
        raise UpstreamUrlInvalid("no credentials in the URL", "store them as a secret, and name it in `credentials`")
    if not host or not port:
        raise UpstreamUrlInvalid(EXPECTED, "the port is missing" if host else "the host is missing")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise UpstreamUrlInvalid(EXPECTED, "leave out what follows the port")
    try:
        # `normalise_host` knows names and IPv4; an IPv6 address has one spelling in a URL's brackets.
        name = f"[{host}]" if ":" in host else normalise_host(host)
        # The gateway and the dialer read the endpoint by this parser, and report it in its spelling.
        target = parse_authority(f"{name}:{port}".encode("ascii", "replace"))
    except (HostInvalid, MalformedTarget) as error:
        raise UpstreamUrlInvalid(EXPECTED, str(error)) from error
    if len(target.authority) > MAX_ENDPOINT:
        raise UpstreamUrlInvalid(EXPECTED, f"at most {MAX_ENDPOINT} characters of host and port")
    return UpstreamUrl(parts.scheme, target.host, target.port)

"""The target of a request, parsed from hostile text. Pure.

A host that a later component (inet_aton, getaddrinfo, a proxy) could read as an address is read as an address here.
Source: WHATWG URL, section "host parsing", the "ends in a number" rule.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from pageworker_sandbox.egress.address import Address, unmap
from pageworker_sandbox.egress.errors import MalformedTarget

MAX_HOST = 253
_LABEL = re.compile(r"[a-z0-9_-]{1,63}")
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9_.-]{1,254})(?::([0-9]{0,5}))?")
_REPORTABLE = re.compile(r"[^\0- @/?#\x7f-\xff]{1,255}")
_HAS_PORT = re.compile(r":[0-9]+\Z")
_URL = re.compile(r"[Hh][Tt][Tt][Pp]://([^/?#]*)([^#]*)(#.*)?")


@dataclass(frozen=True, slots=True)
class Target:
    """`host` is canonical: a lower-case name without a trailing dot, or the text of `address`."""

    host: str
    port: int
    address: Address | None = None

    @property
    def authority(self) -> str:
        """`host:port`, as in a request line."""
        return f"{self._bracketed}:{self.port}"

    @property
    def http_host(self) -> str:
        """The value of the Host header for plain HTTP."""
        return self._bracketed if self.port == 80 else self.authority

    @property
    def _bracketed(self) -> str:
        return f"[{self.host}]" if isinstance(self.address, IPv6Address) else self.host


def parse_authority(untrusted: bytes, default_port: int | None = None) -> Target:
    """Parse `host:port`. With a default, the port may be missing. Raises MalformedTarget."""
    found = _AUTHORITY.fullmatch(untrusted.decode("latin-1"))
    if found is None:
        raise MalformedTarget("expected host:port")
    host, port_text = found[1], found[2]
    port = int(port_text) if port_text else default_port
    if port is None or not 0 < port <= 65535:
        raise MalformedTarget("expected a port from 1 to 65535")
    if host.startswith("["):
        return _literal(_parse_v6(host[1:-1]), port)
    return _name_or_v4(host.lower(), port)


def parse_url(untrusted: bytes) -> tuple[Target, bytes]:
    """Parse `http://host[:port]/path?query` into target and origin form. Raises MalformedTarget.

    User information is refused (RFC 9110, section 4.2.4); a fragment is dropped.
    """
    found = _URL.fullmatch(untrusted.decode("latin-1"))
    if found is None:
        raise MalformedTarget("expected an absolute http:// URL; for https:// use CONNECT")
    path = found[2] if found[2].startswith("/") else "/" + found[2]
    return parse_authority(found[1].encode("latin-1"), 80), path.encode("latin-1")


def requested_authority(untrusted_method: bytes, untrusted_target: bytes) -> str:
    """`host:port` that a request names, as it is written there, for reports. Empty: it names none that is sensible."""
    text = untrusted_target.decode("latin-1")
    if untrusted_method != b"CONNECT":
        found = _URL.fullmatch(text)
        text = found[1] if found else ""
    if not _REPORTABLE.fullmatch(text):
        return ""
    return text if untrusted_method == b"CONNECT" or _HAS_PORT.search(text) else f"{text}:80"


def _name_or_v4(host: str, port: int) -> Target:
    host = host.removesuffix(".")
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return _literal(_parse_v4(labels), port)
    if len(host) > MAX_HOST or not all(_LABEL.fullmatch(label) for label in labels):
        raise MalformedTarget("expected a host name")
    return Target(host, port)


def _literal(address: Address, port: int) -> Target:
    address = unmap(address)
    return Target(str(address), port, address)


def _parse_v6(text: str) -> IPv6Address:
    try:
        return IPv6Address(text)
    except ValueError as error:
        raise MalformedTarget(str(error)) from error


def _parse_v4(parts: list[str]) -> IPv4Address:
    """Parse any form of inet_aton(3): one to four parts, each decimal, octal or hexadecimal."""
    if len(parts) > 4:
        raise MalformedTarget("an IPv4 address has at most four parts")
    *leading, last = [_parse_number(part) for part in parts]
    if any(part > 255 for part in leading) or last >= 256 ** (5 - len(parts)):
        raise MalformedTarget("a part of the IPv4 address is too large")
    value = last
    for place, part in enumerate(leading):
        value += part << (8 * (3 - place))
    return IPv4Address(value)


def _parse_number(text: str) -> int:
    if not _NUMBER.fullmatch(text) or len(text) > 16:
        raise MalformedTarget("expected a number in an IPv4 address")
    try:
        if text.startswith("0x"):
            return int(text[2:] or "0", 16)
        return int(text, 8) if text.startswith("0") else int(text)
    except ValueError as error:
        raise MalformedTarget("expected an octal number in an IPv4 address") from error

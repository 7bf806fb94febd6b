"""Decides whether the URL globs of a tenant allow an untrusted callback URL. Pure.

The URL is parsed by one strict grammar and matched part by part, so that no part can pass for another
(`https://good.example@evil.example/`, `https://evil.example/?https://good.example/`, backslashes, dot segments,
encoded slashes). A URL outside the grammar is refused.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

import ada_url

from pageworker_sandbox.hostname import HostInvalid, normalise_host

MAX_URL_CHARACTERS = 4096
DEFAULT_PORTS = {"http": 80, "https": 443}

# RFC 3986 without userinfo. A name that is not ASCII must be in its A-label form (xn--…).
_URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[!$-;=@-\[\]_a-z~%]*)?"
    r"(?P<query>\?[!$-;=?-\[\]_a-z|~%]*)?"
    r"(?:#[!-~]*)?",
    re.ASCII,
)
_GLOB = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>[A-Za-z0-9*](?:[A-Za-z0-9.*_-]*[A-Za-z0-9*])?|\[[0-9A-Fa-f:.]+\])"
    r"(?::(?P<port>[0-9]{1,5}|\*))?"
    r"(?P<path>/[!$-;=@-\[\]_a-z~%]*)?",
    re.ASCII,
)


class GlobInvalid(ValueError):
    """A glob that can never match as its author meant. The message says why."""


@dataclass(frozen=True)
class CallbackTarget:
    """A parsed callback URL. `request_target` is sent exactly as the producer wrote it."""

    scheme: str
    host: str
    port: int
    path: str
    request_target: str

    @property
    def origin(self) -> str:
        """`https://host:port`: circuit breakers and concurrency are counted per origin."""
        return f"{self.scheme}://{self.host}:{self.port}"

    @staticmethod
    def parse(untrusted_url: str) -> "CallbackTarget | None":
        """The parts of the URL. None if it is not an http(s) URL of the strict grammar, its host in canonical form."""
        if len(untrusted_url) > MAX_URL_CHARACTERS or not (match := _URL.fullmatch(untrusted_url)):
            return None
        scheme, path = match["scheme"], match["path"] or "/"
        port = int(match["port"] or DEFAULT_PORTS[scheme])
        if not 1 <= port <= 65535 or ".." in match["host"] or _climbs(path):
            return None
        host = match["host"].lower()
        if not _canonical(host):
            return None
        return CallbackTarget(scheme, host, port, path, path + (match["query"] or ""))


@dataclass(frozen=True)
class UrlGlob:
    """`https://*.example:8443/webhook*`: `*` is any run of characters within its own part.

    Without a port: the default port of the scheme. `:*`: any port. Without a path: any path. The query is ignored.
    """

    scheme: str
    host: re.Pattern[str]
    port: int | None
    path: re.Pattern[str]

    @staticmethod
    def parse(glob: str) -> "UrlGlob":
        """Raises GlobInvalid."""
        match = _GLOB.fullmatch(glob)
        if match is None:
            raise GlobInvalid(_why(glob))
        port = match["port"] or str(DEFAULT_PORTS[match["scheme"]])
        if port != "*" and not 1 <= int(port) <= 65535:
            raise GlobInvalid("ports are 1 to 65535")
        path = match["path"] or "/*"
        if _climbs(path):
            raise GlobInvalid("a path with dot segments or encoded slashes never matches")
        return UrlGlob(match["scheme"], _stars(match["host"].lower()), None if port == "*" else int(port), _stars(path))

    def matches(self, target: CallbackTarget) -> bool:
        """True if scheme, host, port and path all match."""
        return (
            target.scheme == self.scheme
            and self.port in (None, target.port)
            and self.host.fullmatch(target.host) is not None
            and self.path.fullmatch(target.path) is not None
        )


def allowed(untrusted_url: str, globs: Iterable[str]) -> bool:
    """True if one of the globs matches the URL. Without globs nothing is allowed. Raises GlobInvalid."""
    target = CallbackTarget.parse(untrusted_url)
    return target is not None and any(_parsed(glob).matches(target) for glob in globs)


_parsed = lru_cache(4096)(UrlGlob.parse)


def _stars(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in text.split("*")), re.ASCII)


def _canonical(host: str) -> bool:
    """False for a host that browsers refuse or write otherwise: no other parser may read it as another host."""
    # ada-url passes an A-label that means nothing unchanged in both directions.
    if any(label.startswith("xn--") and ada_url.idna_to_unicode(label) == label for label in host.split(".")):
        return False
    try:
        return normalise_host(host) == host
    except HostInvalid:
        return False


def _climbs(path: str) -> bool:
    """True if a server that decodes the path once or twice could see another path than the one we match."""
    decoded = path
    for _ in range(3):
        decoded = unquote(decoded)
    slashes = path.count("/")
    if "\\" in decoded or decoded.count("/") != slashes or any(ord(character) < 32 for character in decoded):
        return True
    # Servlet containers read `..;x` as a dot segment with a parameter.
    return any(segment.partition(";")[0] in (".", "..") for segment in decoded.split("/"))


def _why(glob: str) -> str:
    if "@" in glob.partition("://")[2].partition("/")[0]:
        return "a glob has no user and no password"
    if not glob.startswith(("http://", "https://")):
        return "it must start with http:// or https://"
    if set(glob) & {"?", "#"}:
        return "the query is never matched: leave it out"
    return "expected scheme://host[:port][/path]"

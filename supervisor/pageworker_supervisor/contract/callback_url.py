"""Where callbacks may go: a tenant's URL globs against an untrusted URL. Pure.

A URL is read by one strict grammar and matched part by part, so that nothing in it can pose as another part
(`https://good.example@evil.example/`, `https://evil.example/?https://good.example/`, backslashes, dot segments,
encoded slashes). What the grammar does not know is refused.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

MAX_URL_CHARACTERS = 4096
DEFAULT_PORTS = {"http": 80, "https": 443}

# RFC 3986 without userinfo; a name that is not ASCII has to come in its A-label form (xn--…).
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
    """A glob that could never match as meant. The message says why."""


@dataclass(frozen=True)
class CallbackTarget:
    """A callback URL that was read. `request_target` is sent exactly as it was written."""

    scheme: str
    host: str
    port: int
    path: str
    request_target: str

    @property
    def origin(self) -> str:
        """`https://host:port`: what breakers and concurrency are counted by."""
        return f"{self.scheme}://{self.host}:{self.port}"

    @staticmethod
    def parse(untrusted_url: str) -> "CallbackTarget | None":
        """The URL's parts; None where it is not plainly an http(s) URL."""
        if len(untrusted_url) > MAX_URL_CHARACTERS or not (match := _URL.fullmatch(untrusted_url)):
            return None
        scheme, path = match["scheme"], match["path"] or "/"
        port = int(match["port"] or DEFAULT_PORTS[scheme])
        if not 1 <= port <= 65535 or ".." in match["host"] or _climbs(path):
            return None
        return CallbackTarget(scheme, match["host"].lower(), port, path, path + (match["query"] or ""))


@dataclass(frozen=True)
class UrlGlob:
    """`https://*.example:8443/webhook*`: `*` is any run of characters within its own part.

    Without a port: the scheme's own; `:*`: any. Without a path: any path. The query is never looked at.
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
        """All parts fit."""
        return (
            target.scheme == self.scheme
            and self.port in (None, target.port)
            and self.host.fullmatch(target.host) is not None
            and self.path.fullmatch(target.path) is not None
        )


def allowed(untrusted_url: str, globs: Iterable[str]) -> bool:
    """True where one of the globs covers the URL. No glob, nothing allowed. Raises GlobInvalid."""
    target = CallbackTarget.parse(untrusted_url)
    return target is not None and any(_parsed(glob).matches(target) for glob in globs)


_parsed = lru_cache(4096)(UrlGlob.parse)


def _stars(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in text.split("*")), re.ASCII)


def _climbs(path: str) -> bool:
    """Does a path reach out of where it seems to be, for any server that decodes it once or twice?"""
    decoded = path
    for _ in range(3):
        decoded = unquote(decoded)
    slashes = path.count("/")
    if "\\" in decoded or decoded.count("/") != slashes or any(ord(character) < 32 for character in decoded):
        return True
    # `..;x` is a dot segment with a parameter to servlet containers.
    return any(segment.partition(";")[0] in (".", "..") for segment in decoded.split("/"))


def _why(glob: str) -> str:
    if "@" in glob.partition("://")[2].partition("/")[0]:
        return "no user or password in a glob"
    if not glob.startswith(("http://", "https://")):
        return "it must start with http:// or https://"
    if set(glob) & {"?", "#"}:
        return "the query is never matched: leave it out"
    return "expected scheme://host[:port][/path]"

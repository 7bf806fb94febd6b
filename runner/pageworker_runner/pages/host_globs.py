"""Hosts and globs of hosts, and the hosts that URLs name. Pure."""

import re
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

_REQUESTS = ("http", "https")
_CANONICAL = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_NUMBER = re.compile(r"(0x[0-9a-f]*|[0-9]+)\Z")


def host_matcher(globs: Iterable[str]) -> Callable[[str], bool]:
    """Whether a host is one of these, or matches one: `*` is any characters, `?` one. All in canonical form."""
    parts = ("".join({"*": ".*", "?": "."}.get(part, re.escape(part)) for part in glob) for glob in globs)
    pattern = re.compile("|".join(f"(?:{part})" for part in parts) or r"(?!)")
    return lambda host: pattern.fullmatch(host) is not None


def requested_host(url: str) -> str | None:
    """The host of an absolute `http:` or `https:` URL, in lower case and without a final dot. None: another URL.

    Chromium writes hosts in canonical form. A module may write them in other ways: see `is_canonical`.
    """
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").removesuffix(".")
    except ValueError:
        return None
    if parts.scheme not in _REQUESTS or not host:
        return None
    return f"[{host}]" if ":" in host else host


def is_over_tls(url: str) -> bool:
    """Whether a request for this URL goes through a tunnel."""
    return url[:6].lower() == "https:"


def is_canonical(host: str) -> bool:
    """Whether a host can be compared as it is. False: it may be another spelling of a host that has a limit, such as
    `münchen.test`, `sh%6Fp.test`, `0x7f.1` or `[::ffff:7f00:1]`."""
    return bool(_CANONICAL.fullmatch(host)) and not _NUMBER.search(host.rpartition(".")[2])


def url_pattern(glob: str) -> str:
    """A pattern of DevTools that matches every URL whose host matches `glob`. It matches other URLs as well."""
    return f"*{glob}*"

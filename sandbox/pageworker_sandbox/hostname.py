"""The canonical form of host names, as browsers write them.

Limits per domain, egress policies and settings compare host names as text. One host has many spellings: capitals,
`münchen.test`, `xn--mnchen-3ya.test`, `sh%6Fp.test`, `shop.test.`, `127.1`. The WHATWG URL standard defines which
spellings are the same host (https://url.spec.whatwg.org/#host-parsing). The library `ada-url` implements it.
Two rules go beyond the standard. A final dot is dropped, because DNS resolves both forms to the same host. An
IPv4-mapped IPv6 address is written as the IPv4 address that it contains.
"""

import re
from ipaddress import IPv6Address

import ada_url

MAX_HOST_CHARACTERS = 253
"""Of a host name in canonical form. Source: RFC 1035, section 2.3.4, without the length octets."""

MAX_WRAPPERS = 2
"""`view-source:` and `blob:` before a URL. Each one costs a copy of the rest."""

_NOT_IN_A_HOST = re.compile(r"[\x00-\x20\x7f/\\?#@<>^|]")
_GLOB = re.compile(r"[a-z0-9*?_-]+(\.[a-z0-9*?_-]+)*")
_DOTS = re.compile("[.\u3002\uff0e\uff61]")  # characters that browsers read as a dot: UTS 46, section 4
_WRAPPED_URL = re.compile(r"\s*(view-source|blob):", re.IGNORECASE)
_WEB_SCHEMES = frozenset({"http:", "https:", "ws:", "wss:", "ftp:"})
_ABSOLUTE_URL = re.compile(r"[\x00-\x20]*((https?|wss?|ftp):|[a-z][a-z0-9+.-]*://)", re.IGNORECASE)


class HostInvalid(ValueError):
    """The text is not a host name, an IP address or a glob of host names. The blame is the caller's."""


def normalise_host(untrusted_host: str) -> str:
    """`München.test.` → `xn--mnchen-3ya.test`, `0x7f.1` → `127.0.0.1`, `::1` → `[::1]`. Raises HostInvalid."""
    text = f"[{untrusted_host}]" if untrusted_host.count(":") > 1 and untrusted_host[:1] != "[" else untrusted_host
    if not text or _NOT_IN_A_HOST.search(text) or (":" in text and not text.endswith("]")):
        raise HostInvalid("expected a host name without scheme, port and path, e.g. shop.example.com")
    host = _host_of_url(f"http://{text}/")
    if not host:
        raise HostInvalid("expected a host name, e.g. shop.example.com")
    return host


def host_of_url(untrusted_url: str) -> str | None:
    """The host that a browser contacts for this URL. None if the URL has no host (`data:`, `mailto:`).

    A URL without a scheme is read as `http://`. Raises HostInvalid if the text contains no valid host.
    """
    text = untrusted_url
    for _ in range(MAX_WRAPPERS):
        if wrapped := _WRAPPED_URL.match(text):
            text = text[wrapped.end() :]
    if _WRAPPED_URL.match(text):
        raise HostInvalid(f"at most {MAX_WRAPPERS} of `view-source:` and `blob:` can stand before a URL")
    try:
        return _host_of_url(text) or None
    except HostInvalid:
        if _ABSOLUTE_URL.match(text):
            raise
        return _host_of_url(f"http://{text}") or None


def normalise_host_glob(untrusted_glob: str) -> str:
    """A host or a glob of hosts (`*`: any characters, `?`: one character) in canonical form. Raises HostInvalid.

    A label that needs IDNA (`münchen`) must not contain `*` or `?`, because its canonical form has other characters.
    """
    if not set(untrusted_glob) & {"*", "?"}:
        return normalise_host(untrusted_glob)
    labels = _DOTS.split(untrusted_glob)
    if len(labels) > 1 and not labels[-1]:
        del labels[-1]
    glob = ".".join(label.lower() if label.isascii() else _label(label) for label in labels)
    if not _GLOB.fullmatch(glob) or len(glob) > MAX_HOST_CHARACTERS:
        raise HostInvalid("expected a host name or a glob of host names, e.g. *.example.com")
    return glob


def policy_host_glob(untrusted_glob: str) -> str:
    """As `normalise_host_glob`, but an IPv6 address has no brackets. The egress policy uses this form."""
    return normalise_host_glob(untrusted_glob).strip("[]")


def _label(label: str) -> str:
    if set(label) & {"*", "?"}:
        raise HostInvalid(
            f"`{label}` mixes `*` or `?` with non-ASCII characters: put the wildcard into a label of its own"
        )
    return normalise_host(label)


def _host_of_url(url: str) -> str:
    try:
        parsed = ada_url.URL(url)
    except (ValueError, UnicodeEncodeError) as error:
        raise HostInvalid("a browser would not accept this host name") from error
    host = parsed.hostname
    if host and parsed.protocol not in _WEB_SCHEMES:
        return normalise_host(host)  # the standard does not normalise the hosts of other schemes
    if host.startswith("["):
        address = IPv6Address(host[1:-1])
        return str(address.ipv4_mapped) if address.ipv4_mapped else f"[{address}]"
    host = host.removesuffix(".")
    if len(host) > MAX_HOST_CHARACTERS or (host and not all(host.split("."))):
        raise HostInvalid(f"a host name has at most {MAX_HOST_CHARACTERS} characters and no empty label")
    return host

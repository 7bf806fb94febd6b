"""Checks of single values in the settings: URLs, host globs, addresses, keys, files that must be readable."""

import base64
import binascii
import ipaddress
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from pageworker_sandbox.hostname import HostInvalid, normalise_host_glob
from pageworker_supervisor.config import toml_lines
from pageworker_supervisor.config.check import show

MIN_SECRET_BYTES = 16
MAX_HEADERS = 16
MAX_HEADER_VALUE = 4096
HOP_BY_HOP_HEADERS = frozenset(
    (
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"),
        *("te", "trailer", "transfer-encoding", "upgrade"),
    )
)
OWN_HEADERS = frozenset(
    (
        *("host", "content-length", "content-type", "content-encoding", "accept-encoding", "expect"),
        *("idempotency-key", "traceparent", "tracestate"),
    )
)
OWN_HEADER_PREFIXES = ("pageworker-", "webhook-")
"""Our signature, and the headers of https://www.standardwebhooks.com."""

ALLOWED_HOST = re.compile(r"(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
"""RFC 9110, 5.6.2: token."""
_HEADER_VALUE = re.compile(rf"(?!\s)[\t\x20-\x7e]{{1,{MAX_HEADER_VALUE}}}(?<!\s)")

HEADER_VALUES = f"1 to {MAX_HEADER_VALUE} printable ASCII characters, none of them white space at an end"

RuleFinding = tuple[toml_lines.Path, object, str, str]
"""Path of the setting, what was found, what was expected, a hint."""


def holds_password(url: str) -> bool:
    """True if the user information of a URL contains a password."""
    userinfo, at, _ = url.partition("://")[2].partition("/")[0].rpartition("@")
    return bool(at) and ":" in userinfo


def host_glob_problem(text: str) -> str:
    """What is wrong with a host name or a glob of host names. Empty if nothing is."""
    try:
        normalise_host_glob(text)
    except HostInvalid as error:
        return "write only the host: no scheme, port or path" if "/" in text or ":" in text else str(error)
    return ""


def secret_findings(path: toml_lines.Path, file: Path) -> Iterator[RuleFinding]:
    """Problems of a file that must hold an HMAC key."""
    if why := unreadable(file):
        yield path, f"{file}: {why}", "a readable file with the HMAC key", ""
    elif (size := len(file.read_bytes().strip())) < MIN_SECRET_BYTES:
        hint = "create a key with `openssl rand -hex 32 > FILE`"
        yield path, f"{file}: {size} bytes", f"at least {MIN_SECRET_BYTES} bytes", hint


def header_findings(path: toml_lines.Path, headers: Mapping[str, str]) -> Iterator[RuleFinding]:
    """Problems of the headers of callbacks. No finding contains a value."""
    if len(headers) > MAX_HEADERS:
        yield path, f"{len(headers)} headers", f"at most {MAX_HEADERS}", ""
    known = Counter(name.lower() for name in headers)
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            yield path, name, "header names: 1-64 letters, digits or any of !#$%&'*+-.^_`|~", ""
        elif why := _not_free(name.lower()):
            yield path, name, "headers that pageworker does not set itself", why
        elif known[name.lower()] > 1:
            yield path, name, "each header once", "names that differ in upper and lower case only are one header"
        if not is_header_value(value):
            yield (*path, name), f"a value of {len(value)} characters", HEADER_VALUES, ""


def is_header_value(value: str) -> bool:
    """Whether a header may have this value: see HEADER_VALUES."""
    return _HEADER_VALUE.fullmatch(value) is not None


def _not_free(name: str) -> str:
    """Why callbacks cannot carry this header, in lower case. Empty if they can."""
    if name in HOP_BY_HOP_HEADERS:
        return "it belongs to one connection (RFC 9110, 7.6.1)"
    if name in OWN_HEADERS or name.startswith(OWN_HEADER_PREFIXES):
        return "receivers trust the value that the worker writes"
    return ""


def unreadable(file: Path) -> str:
    """Why a file cannot be read. Empty if it can."""
    try:
        with file.open("rb"):
            return ""
    except OSError as error:
        return error.strerror or str(error)


def url_findings(path: toml_lines.Path, url: str, schemes: tuple[str, ...]) -> Iterator[RuleFinding]:
    """Problems of a URL that must have one of the schemes, and a host or folder."""
    expected = "a URL that starts with " + ", ".join(f"{scheme}://" for scheme in schemes)
    try:
        parts = urlsplit(url)
        port_is_zero = "," not in parts.netloc and parts.port == 0
    except ValueError as error:
        yield path, show(url), expected, str(error)
        return
    if parts.scheme not in schemes:
        near = get_close_matches(parts.scheme, schemes, n=1)
        yield path, show(url), expected, f"did you mean {near[0]}://?" if near else ""
    elif port_is_zero:
        yield path, show(url), expected, "ports are 1 to 65535"
    elif not _has_target(parts):
        yield path, show(url), expected, "the host is missing" if parts.scheme != "file" else "the folder is missing"


def _has_target(parts: SplitResult) -> bool:
    if parts.scheme in ("file", "unix"):
        return parts.path.startswith("/") and parts.netloc in ("", "localhost")
    return parts.scheme == "memory" or bool(parts.netloc.rpartition("@")[2].strip(":"))


def is_address(text: str) -> bool:
    """True for an IP address, or for `address:port`."""
    host, port = text, ""
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        port = port.removeprefix(":")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
        if not port:
            return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return not port or (port.isdecimal() and 1 <= int(port) <= 65535)


def is_minisign_key(text: str) -> bool:
    """True for a public key in minisign's format: two bytes `Ed`, eight bytes of key id, 32 bytes of key."""
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error:
        return False
    return len(raw) == 42 and raw[:2] == b"Ed"

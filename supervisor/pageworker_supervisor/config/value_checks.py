"""Checks of single values in the settings: URLs, host globs, addresses, keys, files that must be readable."""

import base64
import binascii
import ipaddress
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from pageworker_sandbox.hostname import HostInvalid, normalise_host_glob
from pageworker_supervisor.config import toml_lines
from pageworker_supervisor.config.check import show

MIN_SECRET_BYTES = 16

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

"""Removes secrets from settings before they are shown. Secrets are in files; only passwords in URLs remain."""

import hashlib
import re
from typing import Any

import msgspec

from pageworker_sandbox.page_rules import SECRET_OPTIONS
from pageworker_sandbox.wire.page_options import HIDDEN

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(//)?")
_HOSTS = re.compile(r"(?:(?:\[[^\[\]@/]*\]|[^\[\]:,/?#]+)(?::[0-9*]*)?(?:,|(?=[/?#]|$)))*(?=[/?#]|$)")
"""The hosts of a URL, with their ports. What else stands there may be a password."""
_FOLDER = re.compile(r"(?:file|s3|gs|az)://[^/?#@:]*/[^?#]*")
"""A folder or a bucket's prefix. Its path may contain `@`, and results name it."""
_QUERY_VALUE = re.compile(r"([?&][^=&#]*)=([^&#]*)")


def redact_url(text: str) -> str:
    """A URL without password and query values; its scheme alone where it has no valid host. Other text is unchanged.

    A password may contain what should have been written as `%2F`, `%3F` or `%23`: it ends at the last `@`.
    """
    if _FOLDER.fullmatch(text):
        return text
    match = _SCHEME.match(text)
    scheme = match[0] if match else ""
    userinfo, at, rest = text.removeprefix(scheme).rpartition("@")
    if scheme.endswith("//") and not _HOSTS.match(rest):
        return scheme + HIDDEN
    if at and (scheme or ":" in userinfo):
        userinfo = _user(userinfo)
    shown = scheme + userinfo + at + rest
    return _QUERY_VALUE.sub(rf"\1={HIDDEN}", shown) if "://" in text else shown


def redacted(value: Any) -> Any:
    """A Struct, table or list as plain data, with passwords in URLs replaced by `(hidden)`."""
    match value:
        case msgspec.Struct():
            return {name: redacted(getattr(value, name)) for name in value.__struct_fields__}
        case dict():
            return {key: HIDDEN if key in SECRET_OPTIONS else redacted(inner) for key, inner in value.items()}
        case list() | tuple():
            return [redacted(inner) for inner in value]
        case str():
            return redact_url(value)
        case bool() | int() | float() | None:
            return value
    return str(value)


def fingerprint(settings: msgspec.Struct) -> str:
    """16 hex digits of all settings. Workers with equal settings have equal fingerprints. Passwords do not count."""
    text = msgspec.json.encode(redacted(settings), order="deterministic")
    return hashlib.blake2b(text, digest_size=8).hexdigest()


def _user(userinfo: str) -> str:
    name, colon, _ = userinfo.partition(":")
    # redis://:password@host and http://token@host both have the secret in the part before the @.
    return f"{name}:{HIDDEN}" if colon else HIDDEN

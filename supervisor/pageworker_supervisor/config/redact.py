"""Removes secrets from settings before they are shown: passwords in URLs, and fields of the type SecretText.

Most secrets are in files, and settings hold only their paths.
"""

import hashlib
import re
from typing import Annotated, Any, get_args

import msgspec
from msgspec import Meta

from pageworker_sandbox.page_rules import SECRET_OPTIONS
from pageworker_sandbox.wire.page_options import HIDDEN
from pageworker_supervisor.contract.type_names import is_struct

SecretText = Annotated[str, Meta(extra={"secret": True})]
"""A text that is never shown."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(//)?")
_HOSTS = re.compile(r"(?:(?:\[[^\[\]@/]*\]|[^\[\]:,/?#]+)(?::[0-9*]*)?(?:,|(?=[/?#]|$)))*(?=[/?#]|$)")
"""The hosts of a URL, with their ports. What else stands there may be a password."""
_FOLDER = re.compile(r"(?:file|s3|gs|az)://[^/?#@:]*/[^?#]*")
"""A folder or a bucket's prefix. Its path may contain `@`, and results name it."""
_QUERY_VALUE = re.compile(r"([?&](?!db=[0-9]{1,3}(?![^&#]))[^=&#]*)=([^&#]*)")
"""Name and value in a query, except for the number of a Redis database."""


def redact_url(text: str) -> str:
    """A URL without password and query values; its scheme alone if it has no valid host. Other text is unchanged.
    Of query values, only the number of a Redis database is shown.

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
            return {
                field.name: _hidden(getattr(value, field.name))
                if holds_secret(field.type)
                else redacted(getattr(value, field.name))
                for field in msgspec.structs.fields(value)
            }
        case dict():
            return {key: HIDDEN if key in SECRET_OPTIONS else redacted(inner) for key, inner in value.items()}
        case list() | tuple():
            return [redacted(inner) for inner in value]
        case str():
            return redact_url(value)
        case bool() | int() | float() | None:
            return value
    return str(value)


def holds_secret(type_: Any) -> bool:
    """True for SecretText, and for lists, tables and unions of it."""
    if isinstance(type_, Meta):
        return bool((type_.extra or {}).get("secret"))
    return any(holds_secret(inner) for inner in get_args(type_))


def may_contain_secret(type_: Any) -> bool:
    """As `holds_secret`, and True for sections with such a field: untrusted text in place of one is not shown."""
    fields = msgspec.structs.fields(type_) if is_struct(type_) else ()
    inner = (*get_args(type_), *(field.type for field in fields))
    return holds_secret(type_) or any(may_contain_secret(one) for one in inner)


def _hidden(value: Any) -> Any:
    """The same shape and keys, without the texts."""
    match value:
        case dict():
            return {key: _hidden(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_hidden(inner) for inner in value]
        case None:
            return None
    return HIDDEN


def fingerprint(settings: msgspec.Struct) -> str:
    """16 hex digits of all settings. Workers with equal settings have equal fingerprints. Passwords do not count."""
    text = msgspec.json.encode(redacted(settings), order="deterministic")
    return hashlib.blake2b(text, digest_size=8).hexdigest()


def _user(userinfo: str) -> str:
    name, colon, _ = userinfo.partition(":")
    # redis://:password@host and http://token@host both have the secret in the part before the @.
    return f"{name}:{HIDDEN}" if colon else HIDDEN

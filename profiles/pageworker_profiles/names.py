"""Ids as file names. Pure, injective also where the file system ignores case, and reversible.

Lower case, digits, `-` and `_` stay. `=x` is an upper-case X, `=.` a leading dot (so neither `.`, `..` nor a
hidden file can come out, and the store's own dotted folders are safe). What would be too long for one file
name is `~` and base32.
"""

import base64
import binascii
import re

from pageworker_profiles.errors import InvalidName

MAX_NAME = 200
_TENANT = re.compile(r"[a-z0-9-]{1,63}")
_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_SPECIAL = re.compile(r"[A-Z]|^\.")
_ESCAPED = re.compile(r"=(.)")


def tenant_name(tenant_id: str) -> str:
    """Folder of a tenant. Raises InvalidName."""
    if not _TENANT.fullmatch(tenant_id):
        raise InvalidName(f"tenant id {tenant_id!r}: expected 1-63 of a-z0-9-")
    return tenant_id


def profile_name(profile_id: str) -> str:
    """Folder of a profile. Raises InvalidName."""
    if not _ID.fullmatch(profile_id):
        raise InvalidName(f"profile id {profile_id!r}: expected 1-128 of A-Za-z0-9._-")
    return _encode(profile_id)


def profile_id(name: str) -> str | None:
    """The profile whose folder has this name; None where no profile's has."""
    if name.startswith("~"):
        padded = name[1:].upper() + "=" * (-(len(name) - 1) % 8)
        try:
            found = base64.b32decode(padded).decode("ascii")
        except (binascii.Error, UnicodeDecodeError):
            return None
    else:
        found = _ESCAPED.sub(lambda match: match[1].upper(), name)
    return found if _ID.fullmatch(found) and _encode(found) == name else None


def _encode(text: str) -> str:
    name = _SPECIAL.sub(lambda match: "=" + match[0].lower(), text)
    if len(name) <= MAX_NAME:
        return name
    return "~" + base64.b32encode(text.encode()).decode().rstrip("=").lower()

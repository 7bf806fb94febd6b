"""Encodes ids as file names. Pure and reversible. Different ids have different names, even if case is ignored.

Lower-case letters, digits, `-`, `_` and inner dots stay. `=x` is an upper-case X. `=.` is a leading dot, so no id
becomes `.`, `..`, a hidden file or one of the store's own dotted folders. An id that would be too long for a file name
becomes `~` and base32.
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
    """Name of a tenant's folder. Raises InvalidName."""
    if not _TENANT.fullmatch(tenant_id):
        raise InvalidName(f"tenant id {tenant_id!r}: expected 1-63 of a-z0-9-")
    return tenant_id


def profile_name(profile_id: str) -> str:
    """Name of a profile's folder. Raises InvalidName."""
    if not _ID.fullmatch(profile_id):
        raise InvalidName(f"profile id {profile_id!r}: expected 1-128 of A-Za-z0-9._-")
    return _encode(profile_id)


def profile_id(name: str) -> str | None:
    """The id of the profile whose folder has this name. None: no profile has this name."""
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

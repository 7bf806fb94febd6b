"""The keys of snapshots: what a secret must hold, and how a key is named. Pure."""

import binascii
import hashlib
import re
from typing import NamedTuple, Protocol

from pageworker_profiles.errors import SnapshotKeyMissing

KEY_BYTES = 32
_HEX = re.compile(r"[0-9A-Fa-f]{64}")


class SnapshotKey(NamedTuple):
    """A key, and its name in the head. The name tells nothing of the key."""

    id: str
    key: bytes

    def __repr__(self) -> str:
        # Tracebacks and logs show arguments.
        return f"SnapshotKey(id={self.id!r})"


class SnapshotKeys(Protocol):
    """The keys that this worker has."""

    async def current(self) -> SnapshotKey:
        """The key of new snapshots. Raises SnapshotKeyMissing."""

    async def find(self, key_id: str) -> SnapshotKey:
        """The key of a snapshot. Raises SnapshotKeyMissing."""


def parse_key(text: str, name: str) -> SnapshotKey:
    """The key in a secret of this name: 64 hexadecimal digits, or 32 bytes in base64. Raises SnapshotKeyMissing."""
    text = text.strip()
    try:
        key = bytes.fromhex(text) if _HEX.fullmatch(text) else binascii.a2b_base64(text.encode(), strict_mode=True)
    except (ValueError, UnicodeEncodeError):
        key = b""
    if len(key) != KEY_BYTES:
        # No part of the text: it may be most of a key.
        raise SnapshotKeyMissing(
            f"secret {name} holds no key of {KEY_BYTES} bytes: store the output of `openssl rand -hex {KEY_BYTES}`"
        )
    return SnapshotKey(key_id(key), key)


def bound_to(tenant_id: str, profile_id: str, snapshot: str) -> bytes:
    """What a container is authenticated with: it is opened as this snapshot of this profile only."""
    return "\0".join(("pageworker profile snapshot 1", tenant_id, profile_id, snapshot)).encode()


def key_id(key: bytes) -> str:
    """The name of a key: 16 hexadecimal digits."""
    return hashlib.blake2b(key, digest_size=8, person=b"pageworker-key").hexdigest()

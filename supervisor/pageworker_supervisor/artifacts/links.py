"""Signed links of the HTTP API to artifacts in a folder. Pure.

A link is an address that works for everyone who has it, for a limited time, as a presigned link of an object store. It
holds the key of one artifact, when it ends, and an HMAC-SHA256 of both. The worker signs, the API verifies.
"""

import hashlib
import hmac
import re

from msgspec import Struct

LONGEST_SECONDS = 604_800
"""As object stores. A link that ends later was signed with another clock, or is none of ours."""
CLOCK_SECONDS = 3600
"""How far the clocks of worker and API may differ."""
MIN_KEY_BYTES = 32
PATH = "/v1/artifacts/"
PURPOSE = b"pageworker artifact link 1\n"
"""So that no signature of another kind fits, should the same secret be used twice."""

_EXPIRES = re.compile(r"[1-9][0-9]{0,11}", re.ASCII)
_SIGNATURE = re.compile(r"[0-9a-f]{64}", re.ASCII)


class ArtifactLink(Struct, frozen=True):
    """A link that was verified."""

    key: str
    expires: int


def link_to(public_url: str, key: str, expires: int, secret: bytes) -> str:
    """The link. `key`: of `keys.key_of`, whose characters need no quoting. `expires`: Unix seconds."""
    signature = _signature(key, expires, secret)
    return f"{public_url.rstrip('/')}{PATH}{key}?expires={expires}&signature={signature}"


def verify(
    untrusted_key: str, untrusted_expires: str, untrusted_signature: str, secret: bytes, now: float
) -> ArtifactLink | None:
    """None: the signature is not ours, or its time is over."""
    if not _EXPIRES.fullmatch(untrusted_expires) or not _SIGNATURE.fullmatch(untrusted_signature):
        return None
    expires = int(untrusted_expires)
    if not hmac.compare_digest(_signature(untrusted_key, expires, secret), untrusted_signature):
        return None
    if not now < expires <= now + LONGEST_SECONDS + CLOCK_SECONDS:
        return None
    return ArtifactLink(untrusted_key, expires)


def _signature(key: str, expires: int, secret: bytes) -> str:
    return hmac.new(secret, PURPOSE + f"{expires}\n{key}".encode(), hashlib.sha256).hexdigest()

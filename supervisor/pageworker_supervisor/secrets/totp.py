"""Time-based one-time passwords (RFC 6238) from a seed as sites show it: base32, or an otpauth:// URI. Pure.

The URI is described in "Key Uri Format" of google-authenticator.
"""

import base64
import binascii
import hmac
from urllib.parse import parse_qs, urlsplit

from msgspec import Struct

DIGESTS = {"SHA1": "sha1", "SHA256": "sha256", "SHA512": "sha512"}


class SeedInvalid(ValueError):
    """The secret is no seed of one-time passwords. The message does not contain it."""


class TotpSeed(Struct, frozen=True, kw_only=True):
    """A seed, and how passwords are made of it."""

    key: bytes
    digest: str = "sha1"
    digits: int = 6
    period_seconds: int = 30

    def __repr__(self) -> str:
        return f"TotpSeed(digest={self.digest!r}, digits={self.digits}, period_seconds={self.period_seconds})"


def parse_seed(secret: str) -> TotpSeed:
    """The seed in a secret. Raises SeedInvalid."""
    text = secret.strip()
    if not text.lower().startswith("otpauth:"):
        return TotpSeed(key=_key(text))
    parts = urlsplit(text)
    if parts.netloc.lower() != "totp":
        raise SeedInvalid(f"its otpauth URI is of type {parts.netloc[:20]!r}; only `totp` is supported")
    given = {name.lower(): values[-1] for name, values in parse_qs(parts.query).items()}
    digest = DIGESTS.get(given.get("algorithm", "SHA1").upper())
    digits, period = given.get("digits", "6"), given.get("period", "30")
    if digest is None or digits not in ("6", "7", "8"):
        raise SeedInvalid("its otpauth URI needs `algorithm` SHA1, SHA256 or SHA512, and 6 to 8 `digits`")
    if not (period.isascii() and period.isdecimal() and 1 <= int(period[:9]) <= 3600):
        raise SeedInvalid("its otpauth URI needs a `period` of 1 to 3600 seconds")
    return TotpSeed(key=_key(given.get("secret", "")), digest=digest, digits=int(digits), period_seconds=int(period))


def code_at(seed: TotpSeed, unix_seconds: float) -> str:
    """The password of a moment, with leading zeros."""
    counter = int(unix_seconds) // seed.period_seconds
    mac = hmac.new(seed.key, counter.to_bytes(8, "big"), seed.digest).digest()
    offset = mac[-1] & 0x0F
    number = int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFF_FFFF
    return str(number % 10**seed.digits).zfill(seed.digits)


def _key(text: str) -> bytes:
    letters = text.replace(" ", "").replace("-", "").rstrip("=").upper()
    try:
        key = base64.b32decode(letters + "=" * (-len(letters) % 8))
    except binascii.Error:
        raise SeedInvalid("it is neither base32 text nor an otpauth:// URI") from None
    if not key:
        raise SeedInvalid("it has no seed")
    return key

"""Verifies and signs the index of a registry. Order of the checks: size, signature, comment, JSON, serial, expiry."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from pageworker_sandbox.signing import minisig
from pageworker_sandbox.signing.errors import BadSignature, IndexExpired, IndexMalformed, IndexRolledBack
from pageworker_sandbox.signing.instant import instant_text
from pageworker_sandbox.signing.keys import Signer
from pageworker_sandbox.signing.limits import LIMITS, MOST_SIGNATURES, SigningLimits
from pageworker_sandbox.signing.manifest import NAME
from pageworker_sandbox.signing.trust import TrustStore
from pageworker_sandbox.signing.version import SEMVER

Hex = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Instant = Annotated[datetime, Meta(tz=True)]


class IndexedVersion(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One published version."""

    sha256: Hex
    bytes: Annotated[int, Meta(ge=1)]
    signatures: Annotated[int, Meta(ge=1, le=MOST_SIGNATURES)] = 1
    """Number of its signature files."""
    yanked: bool = False
    """A yanked version does not run any more, not even for jobs that pin it."""


class IndexedModule(Struct, frozen=True, kw_only=True):
    """One module: its versions, and the version that each channel points to."""

    versions: dict[str, IndexedVersion] = {}
    channels: dict[str, str] = {}


class Index(Struct, frozen=True, kw_only=True):
    """The modules of a registry. Valid until `expires`. Each new index has a higher `serial`."""

    serial: Annotated[int, Meta(ge=1, le=2**53)]
    expires: Instant
    modules: dict[str, IndexedModule] = {}


@dataclass(frozen=True)
class UntrustedIndex:
    """The bytes of `index.json` and of its signature, not verified."""

    data: bytes = field(repr=False)
    signature: bytes = field(repr=False)


def verify_index(
    untrusted: UntrustedIndex,
    trust: TrustStore,
    now: datetime,
    highest_serial: int = 0,
    limits: SigningLimits = LIMITS,
) -> Index:
    """Verify signature, serial and expiry of an index. Raises BadSignature, UntrustedKey, KeyRevoked, KeyExpired,
    IndexOutOfScope, IndexMalformed, IndexRolledBack, IndexExpired."""
    index = authenticate_index(untrusted, trust, limits, now)
    check_age(index, now, highest_serial)
    return index


def authenticate_index(
    untrusted: UntrustedIndex, trust: TrustStore, limits: SigningLimits = LIMITS, now: datetime | None = None
) -> Index:
    """Verify only the signature of an index, not its serial and expiry. For publishers, who renew it.

    `now`, for the key: by default, the time of this host. Raises as `verify_index`.
    """
    if len(untrusted.data) > limits.index_bytes:
        raise IndexMalformed(f"an index has at most {limits.index_bytes} bytes")
    signature = minisig.parse(untrusted.signature)
    comment = minisig.check(signature, untrusted.data, trust.index_key(signature.key_id, now))
    if not comment.startswith("index "):
        raise BadSignature("this is not the signature of an index")
    try:
        index = msgspec.json.decode(untrusted.data, type=Index)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise IndexMalformed(f"index.json: {error}") from error
    try:
        expected = _comment(index, untrusted.data)
    except OverflowError as error:  # with its offset, the instant is before year 1 or after year 9999 in UTC
        raise IndexMalformed("index.json: `expires` is outside of the years 1 to 9999") from error
    if comment != expected:
        raise BadSignature("the trusted comment is for another index than this one")
    _check_names(index)
    return index


def check_age(index: Index, now: datetime, highest_serial: int = 0) -> None:
    """Check that the index is not older than `highest_serial` and has not expired. There is no grace period.

    Raises IndexRolledBack, IndexExpired.
    """
    if index.serial < highest_serial:
        raise IndexRolledBack(f"index {index.serial} is older than index {highest_serial}, which was accepted before")
    if now >= index.expires:
        raise IndexExpired(f"index {index.serial} expired at {instant_text(index.expires)}")


def sign_index(index: Index, key: Signer) -> UntrustedIndex:
    """Encode and sign an index. The same index gives the same bytes."""
    encoded = msgspec.json.format(msgspec.json.encode(index, order="sorted"), indent=1) + b"\n"
    return UntrustedIndex(encoded, minisig.sign(encoded, key, _comment(index, encoded)))


def _comment(index: Index, encoded: bytes) -> str:
    digest = hashlib.sha256(encoded).hexdigest()
    return f"index serial:{index.serial} expires:{instant_text(index.expires)} sha256:{digest}"


def _check_names(index: Index) -> None:
    for name, listed in index.modules.items():
        if not NAME.fullmatch(name):
            raise IndexMalformed(f"index.json: {name[:100]!r} is not a module name")
        for version in listed.versions:
            # Names become paths in the registry.
            if not SEMVER.fullmatch(version):
                raise IndexMalformed(f"index.json: {version[:64]!r} of {name} is not a semantic version")
        for channel, version in listed.channels.items():
            if version not in listed.versions:
                raise IndexMalformed(
                    f"index.json: channel {channel[:64]} of {name} points to {version[:64]}, which is not listed"
                )

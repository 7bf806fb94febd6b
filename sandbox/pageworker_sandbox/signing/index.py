"""The signed list of what a registry holds. Load order: size, signature, comment, JSON, serial, expiry."""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from pageworker_sandbox.signing import minisig
from pageworker_sandbox.signing.errors import BadSignature, IndexExpired, IndexMalformed, IndexRolledBack
from pageworker_sandbox.signing.keys import SecretKey
from pageworker_sandbox.signing.limits import LIMITS, SigningLimits
from pageworker_sandbox.signing.manifest import NAME
from pageworker_sandbox.signing.trust import TrustStore
from pageworker_sandbox.signing.version import SEMVER

Hex = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Instant = Annotated[datetime, Meta(tz=True)]


class IndexedVersion(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One published version."""

    sha256: Hex
    bytes: Annotated[int, Meta(ge=1)]
    yanked: bool = False
    """Taken back: it is not run any more, pinned or not."""


class IndexedModule(Struct, frozen=True, kw_only=True):
    """One module: its versions, and which of them each channel means."""

    versions: dict[str, IndexedVersion] = {}
    channels: dict[str, str] = {}


class Index(Struct, frozen=True, kw_only=True):
    """What a registry holds, as of `serial`, until `expires`."""

    serial: Annotated[int, Meta(ge=1, le=2**53)]
    expires: Instant
    modules: dict[str, IndexedModule] = {}


@dataclass(frozen=True)
class UntrustedIndex:
    """`index.json` and its signature, as they came."""

    data: bytes = field(repr=False)
    signature: bytes = field(repr=False)


def verify_index(
    untrusted: UntrustedIndex,
    trust: TrustStore,
    now: datetime,
    highest_serial: int = 0,
    limits: SigningLimits = LIMITS,
) -> Index:
    """An index to act on. Raises BadSignature, UntrustedKey, IndexMalformed, IndexRolledBack, IndexExpired."""
    index = authenticate_index(untrusted, trust, limits)
    check_age(index, now, highest_serial)
    return index


def authenticate_index(untrusted: UntrustedIndex, trust: TrustStore, limits: SigningLimits = LIMITS) -> Index:
    """Whoever signed it, meant it: says nothing about its age. For publishers, who renew it."""
    if len(untrusted.data) > limits.index_bytes:
        raise IndexMalformed(f"an index is at most {limits.index_bytes} bytes")
    signature = minisig.parse(untrusted.signature)
    comment = minisig.check(signature, untrusted.data, trust.key_for(signature))
    if not comment.startswith("index "):
        raise BadSignature("the signature is not one for an index")
    try:
        index = msgspec.json.decode(untrusted.data, type=Index)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise IndexMalformed(f"index.json: {error}") from error
    if comment != _comment(index, untrusted.data):
        raise BadSignature("the trusted comment names another index than this one")
    _check_names(index)
    return index


def check_age(index: Index, now: datetime, highest_serial: int = 0) -> None:
    """Not below a serial that was seen, and no grace: from `expires` on it is not used.

    Raises IndexRolledBack, IndexExpired.
    """
    if index.serial < highest_serial:
        raise IndexRolledBack(f"index {index.serial} is older than {highest_serial}, which was seen before")
    if now >= index.expires:
        raise IndexExpired(f"index {index.serial} expired at {_instant(index.expires)}")


def sign_index(index: Index, key: SecretKey) -> UntrustedIndex:
    """Encode and sign. The same index gives the same bytes."""
    encoded = msgspec.json.format(msgspec.json.encode(index, order="sorted"), indent=1) + b"\n"
    return UntrustedIndex(encoded, minisig.sign(encoded, key, _comment(index, encoded)))


def _comment(index: Index, encoded: bytes) -> str:
    digest = hashlib.sha256(encoded).hexdigest()
    return f"index serial:{index.serial} expires:{_instant(index.expires)} sha256:{digest}"


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def _check_names(index: Index) -> None:
    for name, listed in index.modules.items():
        if not NAME.fullmatch(name):
            raise IndexMalformed(f"index.json: {name[:100]!r} is no module name")
        for version in listed.versions:
            # Names become paths in the registry.
            if not SEMVER.fullmatch(version):
                raise IndexMalformed(f"index.json: {name} has no version {version[:64]!r}")
        for channel, version in listed.channels.items():
            if version not in listed.versions:
                raise IndexMalformed(f"index.json: channel {channel[:64]} of {name} means {version[:64]}, not listed")

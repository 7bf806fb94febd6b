"""Names the files of a registry, and reads and writes its index.

The index is two files, `index.json` and its signature, and no store can replace both in one step. So a publisher first
writes both into one file, `index.signed` (the four lines of the signature, then the JSON). A conditional write of that
file decides between concurrent publishers. A reader uses it if index.json and its signature do not match or are
damaged.
"""

from dataclasses import dataclass

from pageworker_sandbox.signing import (
    Index,
    IndexRolledBack,
    ModuleError,
    SigningLimits,
    TrustStore,
    Untrusted,
    UntrustedIndex,
    authenticate_index,
)
from pageworker_sandbox.signing.limits import MAX_SIGNATURE_BYTES
from pageworker_sandbox.signing.minisig import parse as parse_signature
from pageworker_supervisor.registry.errors import NotThere
from pageworker_supervisor.registry.store import Fetched, Store

INDEX = "index.json"
SIGNED = "index.signed"
SIGNATURE = ".minisig"
PROVENANCE = ".intoto.json"
"""Beside a bundle, with a signature of its own. No worker reads it."""
_SIGNATURE_LINES = 4


def signature_file(file: str, number: int = 0) -> str:
    """The name of a signature file of a bundle: the first, or one of those by more keys."""
    return f"{file}{SIGNATURE}.{number}" if number else file + SIGNATURE


def bundle_file(name: str, version: str) -> str:
    """`shop.product-1.4.2.zip`."""
    return f"{name}-{version}.zip"


@dataclass(frozen=True)
class AuthenticIndex:
    """An index with a verified signature. Its age is not checked.

    `tag` is the version tag of index.json. `instead_of` is the error of index.json if this is the one from
    index.signed.
    """

    index: Index
    raw: UntrustedIndex
    tag: str | None
    instead_of: ModuleError | None = None

    @property
    def key_id(self) -> bytes:
        """The id of the key that signed it."""
        return parse_signature(self.raw.signature).key_id


async def fetch_index(
    store: Store, trust: TrustStore, limits: SigningLimits, unless_tag: str | None = None, at_least: int = 0
) -> AuthenticIndex | None:
    """The index of the registry, with a serial of `at_least`. None if index.json still has the tag.

    Raises NotThere, RegistryAway, BadSignature, UntrustedKey, IndexMalformed, IndexRolledBack.
    """
    try:
        data = await _get(store, limits, unless_tag)
        return await _pair(store, trust, limits, data, at_least) if data else None
    except (Untrusted, NotThere) as failed:
        try:
            signed = await store.get(SIGNED, limits.index_bytes)
            raw, index = _authenticate(signed.data, trust, limits)
        except (Untrusted, NotThere):
            raise failed from None
        if index.serial < at_least:
            raise
        # No tag, so that the next refresh reads index.json again.
        return AuthenticIndex(index, raw, None, failed)


async def fetch_newest(store: Store, trust: TrustStore, limits: SigningLimits) -> tuple[Index | None, Fetched | None]:
    """For a publisher: the newest index, and index.signed as it is now. None: there is none yet.

    Raises RegistryAway, BadSignature, UntrustedKey, IndexMalformed.
    """
    signed, found = None, []
    try:
        signed = await store.get(SIGNED, limits.index_bytes)
        found.append(_authenticate(signed.data, trust, limits)[1])
    except NotThere:
        pass  # A new registry, or a copy without this file.
    try:
        data = await store.get(INDEX, limits.index_bytes)
        found.append((await _pair(store, trust, limits, data, 0)).index)
    except NotThere:
        pass  # A new registry, or one whose first publisher was killed.
    except Untrusted:
        if not found:
            raise
    return max(found, key=lambda index: index.serial, default=None), signed


async def write_index(store: Store, signed: UntrustedIndex, before: Fetched | None) -> None:
    """Write index.signed first, unless another publisher was faster. Raises RegistryRefused, RegistryAway."""
    await store.put_unless_changed(SIGNED, signed.signature + signed.data, before)
    await store.put(INDEX, signed.data)
    await store.put(INDEX + SIGNATURE, signed.signature)


async def _get(store: Store, limits: SigningLimits, unless_tag: str | None) -> Fetched | None:
    if unless_tag is None:
        return await store.get(INDEX, limits.index_bytes)
    return await store.get_unless(INDEX, limits.index_bytes, unless_tag)


async def _pair(store: Store, trust: TrustStore, limits: SigningLimits, data: Fetched, at_least: int) -> AuthenticIndex:
    signature = await store.get(INDEX + SIGNATURE, MAX_SIGNATURE_BYTES)
    raw = UntrustedIndex(data.data, signature.data)
    index = authenticate_index(raw, trust, limits)
    if index.serial < at_least:
        raise IndexRolledBack(f"index {index.serial} is older than index {at_least}, which was accepted before")
    return AuthenticIndex(index, raw, data.tag)


def _authenticate(untrusted_signed: bytes, trust: TrustStore, limits: SigningLimits) -> tuple[UntrustedIndex, Index]:
    *signature, data = untrusted_signed.split(b"\n", _SIGNATURE_LINES)
    raw = UntrustedIndex(data, b"".join(line + b"\n" for line in signature))
    return raw, authenticate_index(raw, trust, limits)

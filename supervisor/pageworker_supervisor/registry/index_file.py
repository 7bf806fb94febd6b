"""What the files of a registry are called, and how the index is read and written.

The index is two files, `index.json` and its signature, which no store can replace in one step. So a publisher first
writes both into one, `index.signed` (the signature's four lines, then the JSON): that is where publishers meet, and
where a reader looks who catches the two between their writes, or finds them damaged.
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
from pageworker_supervisor.registry.errors import NotThere
from pageworker_supervisor.registry.store import Fetched, Store

INDEX = "index.json"
SIGNED = "index.signed"
SIGNATURE = ".minisig"
MAX_SIGNATURE_BYTES = 16 * 1024
_SIGNATURE_LINES = 4


def bundle_file(name: str, version: str) -> str:
    """`shop.product-1.4.2.zip`."""
    return f"{name}-{version}.zip"


@dataclass(frozen=True)
class AuthenticIndex:
    """An index that a trusted key signed, of whatever age.

    `tag`: of index.json. `instead_of`: what was wrong with index.json, where it comes from index.signed.
    """

    index: Index
    raw: UntrustedIndex
    tag: str | None
    instead_of: ModuleError | None = None


async def fetch_index(
    store: Store, trust: TrustStore, limits: SigningLimits, unless_tag: str | None = None, at_least: int = 0
) -> AuthenticIndex | None:
    """The registry's index, of a serial `at_least`; None where `index.json` still has the tag.

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
        # Without a tag: index.json itself is to be read again.
        return AuthenticIndex(index, raw, None, failed)


async def fetch_newest(store: Store, trust: TrustStore, limits: SigningLimits) -> tuple[Index | None, str | None]:
    """For a publisher: the index to go on from (None: there is none yet), and the tag of index.signed.

    Raises RegistryAway, BadSignature, UntrustedKey, IndexMalformed.
    """
    tag, found = None, []
    try:
        signed = await store.get(SIGNED, limits.index_bytes)
        tag = signed.tag
        found.append(_authenticate(signed.data, trust, limits)[1])
    except NotThere:
        pass  # A registry that was copied without it, or a new one.
    try:
        data = await store.get(INDEX, limits.index_bytes)
        found.append((await _pair(store, trust, limits, data, 0)).index)
    except NotThere:
        pass  # A new registry, or one whose first publisher died.
    except Untrusted:
        if not found:
            raise
    return max(found, key=lambda index: index.serial, default=None), tag


async def write_index(store: Store, signed: UntrustedIndex, tag: str | None) -> None:
    """All in one first, unless somebody else was quicker. Raises Refused, RegistryAway."""
    await store.put_unless_changed(SIGNED, signed.signature + signed.data, tag)
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
        raise IndexRolledBack(f"index {index.serial} is older than {at_least}, which was seen before")
    return AuthenticIndex(index, raw, data.tag)


def _authenticate(untrusted_signed: bytes, trust: TrustStore, limits: SigningLimits) -> tuple[UntrustedIndex, Index]:
    *signature, data = untrusted_signed.split(b"\n", _SIGNATURE_LINES)
    raw = UntrustedIndex(data, b"".join(line + b"\n" for line in signature))
    return raw, authenticate_index(raw, trust, limits)

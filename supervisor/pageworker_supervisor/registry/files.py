"""What the files of a registry are called, and how the pair of index and signature is read and written.

The index is two files, which no store can replace in one step. So a publisher first writes the same pair under
other names: whoever catches the index between its two writes finds it whole there. It is also what a publisher
who died half way left for the next one.
"""

from dataclasses import dataclass

from pageworker_sandbox.signing import (
    Index,
    Limits,
    ModuleError,
    TrustStore,
    Untrusted,
    UntrustedIndex,
    authenticate_index,
)
from pageworker_supervisor.registry.errors import NotThere
from pageworker_supervisor.registry.store import Fetched, Store

INDEX = "index.json"
NEXT = "index.json.next"
SIGNATURE = ".minisig"
MAX_SIGNATURE_BYTES = 16 * 1024


def bundle_file(name: str, version: str) -> str:
    """`shop.product-1.4.2.zip`."""
    return f"{name}-{version}.zip"


@dataclass(frozen=True)
class AuthenticIndex:
    """An index that a trusted key signed, of whatever age.

    `tag`: of the file it came from. `instead_of`: why it is the spare pair, where it is.
    """

    index: Index
    raw: UntrustedIndex
    tag: str | None
    instead_of: ModuleError | None = None


async def fetch_index(
    store: Store, trust: TrustStore, limits: Limits, unless_tag: str | None = None
) -> AuthenticIndex | None:
    """The registry's index; None where `index.json` still has the tag.

    Raises NotThere, RegistryAway, BadSignature, UntrustedKey, IndexMalformed.
    """
    try:
        if unless_tag is None:
            return await _fetch(store, trust, limits, INDEX)
        changed = await store.get_unless(INDEX, limits.index_bytes, unless_tag)
        return await _authenticate(store, trust, limits, INDEX, changed) if changed else None
    except (Untrusted, NotThere) as failed:
        try:
            spare = await _fetch(store, trust, limits, NEXT)
        except (Untrusted, NotThere):
            raise failed from None
        # Without a tag: index.json itself is to be read again.
        return AuthenticIndex(spare.index, spare.raw, None, failed)


async def fetch_newest(store: Store, trust: TrustStore, limits: Limits) -> tuple[Index | None, str | None]:
    """For a publisher: the index to go on from (None: there is none yet), and the tag of the spare pair.

    Raises RegistryAway, BadSignature, UntrustedKey, IndexMalformed.
    """
    tag, found = None, []
    try:
        spare = await store.get(NEXT, limits.index_bytes)
        tag = spare.tag
        found.append((await _authenticate(store, trust, limits, NEXT, spare)).index)
    except (Untrusted, NotThere):
        pass  # Nobody ever published, or one died while writing it; then index.json still holds.
    try:
        found.append((await _fetch(store, trust, limits, INDEX)).index)
    except NotThere:
        pass  # Nobody ever published, or one died before writing it; then the spare pair holds.
    except Untrusted:
        if not found:
            raise
    return max(found, key=lambda index: index.serial, default=None), tag


async def write_index(store: Store, signed: UntrustedIndex, spare_tag: str | None) -> None:
    """Spare pair first, then the index. Raises Refused, RegistryAway."""
    await store.put_unless_changed(NEXT, signed.data, spare_tag)
    await store.put(NEXT + SIGNATURE, signed.signature)
    await store.put(INDEX, signed.data)
    await store.put(INDEX + SIGNATURE, signed.signature)


async def _fetch(store: Store, trust: TrustStore, limits: Limits, name: str) -> AuthenticIndex:
    return await _authenticate(store, trust, limits, name, await store.get(name, limits.index_bytes))


async def _authenticate(store: Store, trust: TrustStore, limits: Limits, name: str, data: Fetched) -> AuthenticIndex:
    signature = await store.get(name + SIGNATURE, MAX_SIGNATURE_BYTES)
    raw = UntrustedIndex(data.data, signature.data)
    return AuthenticIndex(authenticate_index(raw, trust, limits), raw, data.tag)

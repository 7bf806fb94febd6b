"""Changes a registry: stores bundles and signs the next index."""

import asyncio
from collections.abc import Callable
from datetime import datetime

from pageworker_sandbox.signing import (
    LIMITS,
    Index,
    Signer,
    TrustStore,
    UntrustedBundle,
    VerifiedBundle,
    sign_index,
    verify,
)
from pageworker_supervisor.input_schema.input_checks import check_schemas
from pageworker_supervisor.registry.index_file import SIGNATURE, bundle_file, fetch_newest, write_index
from pageworker_supervisor.registry.index_update import EXPIRY_DAYS, Edit, add, next_index, renew
from pageworker_supervisor.registry.registry import utc_now
from pageworker_supervisor.registry.store import Store


class Publisher:
    """Signs indexes with `key`. Accepts bundles and the current index if `key` or one of `others` signed them."""

    def __init__(
        self,
        store: Store,
        key: Signer,
        others: TrustStore | None = None,
        expiry_days: float = EXPIRY_DAYS,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._store = store
        self._key = key
        self._trust = TrustStore([key.public, *(others.keys if others else ())])
        self._expiry_days = expiry_days
        self._now = now

    async def publish(self, untrusted: UntrustedBundle, channel: str) -> tuple[VerifiedBundle, Index]:
        """Verify a bundle, then add it. Raises RegistryRefused, ModuleError."""
        bundle = await self.verified(untrusted)
        return bundle, await self.add(bundle, untrusted.signature, channel)

    async def verified(self, untrusted: UntrustedBundle) -> VerifiedBundle:
        """The bundle, if it may be published. Changes nothing.

        Raises ModuleError (unsigned, wrongly signed, malformed, a schema that exceeds the limits of a check).
        """
        bundle = verify(untrusted, self._trust)
        await asyncio.to_thread(check_schemas, bundle)
        return bundle

    async def add(self, bundle: VerifiedBundle, signature: bytes, channel: str) -> Index:
        """Store bundle and signature first, then the index that lists them. It is safe to repeat.

        Raises RegistryRefused, ModuleError (registry away).
        """
        return await self._renew(add(bundle, channel), bundle, signature)

    async def preview(self, bundle: VerifiedBundle, channel: str) -> tuple[Index | None, Index]:
        """The index as it is, and as `add` would make it. Changes nothing. Raises as `add`."""
        before = None
        if self._store.folder is None or self._store.folder.is_dir():
            before, _ = await fetch_newest(self._store, self._trust, LIMITS)
        return before, next_index(before, add(bundle, channel), self._now(), self._expiry_days)

    async def change(self, edit: Edit = renew) -> Index:
        """Sign the next index. Raises RegistryRefused, ModuleError."""
        return await self._renew(edit)

    async def _renew(self, edit: Edit, bundle: VerifiedBundle | None = None, signature: bytes = b"") -> Index:
        async with self._store.locked():
            before, spare_tag = await fetch_newest(self._store, self._trust, LIMITS)
            after = next_index(before, edit, self._now(), self._expiry_days)
            if bundle is not None:
                name = bundle_file(bundle.name, bundle.version)
                await self._store.put(name, bundle.data)
                await self._store.put(name + SIGNATURE, signature)
            await write_index(self._store, sign_index(after, self._key), spare_tag)
        return after

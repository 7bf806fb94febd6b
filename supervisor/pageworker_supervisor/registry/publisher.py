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
    UntrustedProvenance,
    VerifiedBundle,
    check_authority,
    sign_index,
    verify,
)
from pageworker_sandbox.signing.limits import MAX_SIGNATURE_BYTES
from pageworker_supervisor.input_schema.input_checks import check_schemas
from pageworker_supervisor.registry.index_file import (
    PROVENANCE,
    SIGNATURE,
    bundle_file,
    fetch_newest,
    signature_file,
    write_index,
)
from pageworker_supervisor.registry.index_update import EXPIRY_DAYS, Edit, add, next_index, point, renew
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
        self._trust = (others or TrustStore()).with_key(key.public)
        self._expiry_days = expiry_days
        self._now = now

    @property
    def trust(self) -> TrustStore:
        """The keys whose signatures it accepts."""
        return self._trust

    async def publish(self, untrusted: UntrustedBundle, channel: str) -> tuple[VerifiedBundle, Index]:
        """Verify a bundle, then add it. Raises RegistryRefused, ModuleError."""
        bundle = await self.verified(untrusted)
        return bundle, await self.add(bundle, untrusted, channel)

    async def verified(self, untrusted: UntrustedBundle) -> VerifiedBundle:
        """The bundle, if it may be published. Changes nothing.

        Raises ModuleError (unsigned, wrongly signed, malformed, a schema that exceeds the limits of a check).
        """
        bundle = verify(untrusted, self._trust, now=self._now())
        await asyncio.to_thread(check_schemas, bundle)
        return bundle

    async def add(
        self,
        bundle: VerifiedBundle,
        untrusted: UntrustedBundle,
        channel: str,
        provenance: UntrustedProvenance | None = None,
    ) -> Index:
        """Store bundle and signatures first, then the index that lists them. It is safe to repeat.

        `provenance`: stored beside the bundle. The caller has verified it, or made it.
        Raises RegistryRefused, ModuleError (registry away, the keys may not sign for this channel).
        """
        check_authority(bundle.signed, self._trust, self._now(), channel=channel)
        return await self._renew(
            add(bundle, channel, len(untrusted.more_signatures) + 1), untrusted, bundle, provenance
        )

    async def point(self, name: str, channel: str, version: str) -> Index:
        """Point a channel to a listed version. Raises RegistryRefused, ModuleError (as `add`)."""
        if self._trust.has_limits:
            await self._check_channel(name, channel, version)
        return await self._renew(point(name, channel, version))

    async def preview(self, bundle: VerifiedBundle, channel: str) -> tuple[Index | None, Index]:
        """The index as it is, and as `add` would make it. Changes nothing. Raises as `add`."""
        before = None
        if self._store.folder is None or self._store.folder.is_dir():
            before, _ = await fetch_newest(self._store, self._trust, LIMITS)
        return before, next_index(before, add(bundle, channel), self._now(), self._expiry_days)

    async def change(self, edit: Edit = renew) -> Index:
        """Sign the next index. Raises RegistryRefused, ModuleError."""
        return await self._renew(edit)

    async def _check_channel(self, name: str, channel: str, version: str) -> None:
        """A worker would refuse the version on this channel: refuse it before. Raises ModuleError."""
        before, _ = await fetch_newest(self._store, self._trust, LIMITS)
        listed = before.modules.get(name) if before else None
        listing = listed.versions.get(version) if listed else None
        if listing is None:
            return  # the edit says so, with what there is
        file = bundle_file(name, version)
        data = await self._store.get(file, LIMITS.bundle_bytes)
        names = [signature_file(file, number) for number in range(listing.signatures)]
        first, *more = [(await self._store.get(one, MAX_SIGNATURE_BYTES)).data for one in names]
        bundle = verify(UntrustedBundle(data.data, first, tuple(more)), self._trust, now=self._now())
        check_authority(bundle.signed, self._trust, self._now(), channel=channel)

    async def _renew(
        self,
        edit: Edit,
        untrusted: UntrustedBundle | None = None,
        bundle: VerifiedBundle | None = None,
        provenance: UntrustedProvenance | None = None,
    ) -> Index:
        self._trust.index_key(self._key.public.id, self._now())
        async with self._store.locked():
            before, signed_before = await fetch_newest(self._store, self._trust, LIMITS)
            after = next_index(before, edit, self._now(), self._expiry_days)
            if bundle is not None and untrusted is not None:
                name = bundle_file(bundle.name, bundle.version)
                await self._store.put(name, bundle.data)
                for number, signature in enumerate((untrusted.signature, *untrusted.more_signatures)):
                    await self._store.put(signature_file(name, number), signature)
                if provenance is not None:
                    await self._store.put(name + PROVENANCE, provenance.data)
                    await self._store.put(name + PROVENANCE + SIGNATURE, provenance.signature)
            await write_index(self._store, sign_index(after, self._key), signed_before)
        return after

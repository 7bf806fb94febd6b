"""Bundles at hand: from memory, from disk, from the registry, in this order; verified whenever they are loaded."""

import asyncio
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass

from pageworker_sandbox.signing import (
    BadSignature,
    ModuleError,
    SigningLimits,
    TrustStore,
    UntrustedBundle,
    VerifiedBundle,
    verify,
)
from pageworker_supervisor.registry.cache import Cache
from pageworker_supervisor.registry.index_file import MAX_SIGNATURE_BYTES, SIGNATURE
from pageworker_supervisor.registry.resolve import Release
from pageworker_supervisor.registry.schema import InputSchema
from pageworker_supervisor.registry.store import Store
from pageworker_supervisor.telemetry import log

MEMORY_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Held:
    """A bundle in memory, with its schema compiled."""

    bundle: VerifiedBundle
    schema: InputSchema


class Bundles:
    """Verified bundles by SHA-256. At most `memory_bytes` of them in memory, the latest used."""

    def __init__(
        self, store: Store, trust: TrustStore, cache: Cache, limits: SigningLimits, memory_bytes: int = MEMORY_BYTES
    ) -> None:
        self._store = store
        self._trust = trust
        self._cache = cache
        self._limits = limits
        self._memory_bytes = memory_bytes
        self._held: OrderedDict[str, Held] = OrderedDict()
        self._pending: dict[str, asyncio.Future[Held | ModuleError | None]] = {}

    async def get(self, release: Release) -> Held:
        """Raises ModuleError. All who ask for one release at a time share one fetch, and its failure."""
        while True:
            held = self._held.get(release.sha256)
            if held is not None:
                self._held.move_to_end(release.sha256)
                return held
            pending = self._pending.get(release.sha256)
            if pending is None:
                return await self._lead(release)
            match await asyncio.shield(pending):
                case Held() as held:
                    return held
                case ModuleError() as error:
                    raise error.with_traceback(None)
            # Whoever fetched was cancelled: one of those who waited goes on.

    def schema(self, bundle: VerifiedBundle) -> InputSchema:
        """The bundle's schema, compiled already while the bundle is held. Raises BundleMalformed."""
        held = self._held.get(bundle.sha256)
        return held.schema if held else InputSchema(bundle.input_schema)

    def keep_only(self, sha256s: Collection[str]) -> None:
        """Forget what no index names any more."""
        for sha256 in [sha256 for sha256 in self._held if sha256 not in sha256s]:
            del self._held[sha256]

    async def _lead(self, release: Release) -> Held:
        pending = self._pending[release.sha256] = asyncio.get_running_loop().create_future()
        outcome: Held | ModuleError | None = None
        try:
            outcome = await self._load(release)
        except ModuleError as error:
            outcome = error
            raise
        finally:
            del self._pending[release.sha256]
            pending.set_result(outcome)
        return outcome

    async def _load(self, release: Release) -> Held:
        held = await self._from_disk(release) or await self._from_registry(release)
        self._held[release.sha256] = held
        total = sum(len(each.bundle.data) for each in self._held.values())
        while total > self._memory_bytes and len(self._held) > 1:
            total -= len(self._held.popitem(last=False)[1].bundle.data)
        return held

    async def _from_disk(self, release: Release) -> Held | None:
        """A copy that does not verify any more is fetched anew: the disk, or the trust store, has changed."""
        untrusted = await asyncio.to_thread(self._cache.load_bundle, release.sha256)
        if untrusted is None:
            return None
        try:
            return await asyncio.to_thread(self._verify, untrusted, release)
        except ModuleError as refused:
            log.warning("kept bundle refused, fetching it again", module=release.file, reason=str(refused))
            return None

    async def _from_registry(self, release: Release) -> Held:
        data = await self._store.get(release.file, self._limits.bundle_bytes)
        signature = await self._store.get(release.file + SIGNATURE, MAX_SIGNATURE_BYTES)
        untrusted = UntrustedBundle(data.data, signature.data)
        held = await asyncio.to_thread(self._verify, untrusted, release)
        try:
            await asyncio.to_thread(self._cache.save_bundle, release.sha256, untrusted)
        except OSError as error:
            # The bundle is good and in memory; only a restart would have to fetch it again.
            log.warning("bundle not kept on disk", module=release.file, reason=error.strerror)
        return held

    def _verify(self, untrusted: UntrustedBundle, release: Release) -> Held:
        bundle = verify(untrusted, self._trust, limits=self._limits)
        if (bundle.name, bundle.version, bundle.sha256) != (release.name, release.version, release.sha256):
            raise BadSignature(f"{release.file} is another bundle than the one that the index lists")
        return Held(bundle, InputSchema(bundle.input_schema))

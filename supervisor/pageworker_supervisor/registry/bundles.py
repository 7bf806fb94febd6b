"""Loads bundles from memory, disk or registry, in this order. Every load verifies the bundle."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection

from pageworker_sandbox.signing import (
    BundleMalformed,
    BundleSwapped,
    ModuleError,
    SigningLimits,
    TrustStore,
    Untrusted,
    UntrustedBundle,
    VerifiedBundle,
    verify,
)
from pageworker_sandbox.signing.limits import MAX_SIGNATURE_BYTES
from pageworker_supervisor.host.descriptor_check import USED_UP
from pageworker_supervisor.registry.cache import Cache
from pageworker_supervisor.registry.errors import RegistryAway
from pageworker_supervisor.registry.index_file import signature_file
from pageworker_supervisor.registry.resolve import Release
from pageworker_supervisor.registry.store import Store
from pageworker_supervisor.telemetry import log

MEMORY_BYTES = 64 * 1024 * 1024
DOWNLOAD_TRIES = 3
"""Of one download that goes on where it broke off. The next job tries again, from there."""


class Bundles:
    """Verified bundles by release. Keeps the most recently used ones in memory, at most `memory_bytes`."""

    def __init__(
        self,
        store: Store,
        trust: TrustStore,
        cache: Cache,
        limits: SigningLimits,
        memory_bytes: int = MEMORY_BYTES,
        *,
        on_untrusted: Callable[[Untrusted], None] = lambda _: None,
    ) -> None:
        """`on_untrusted` is called for each bundle that no trusted key signed."""
        self._store = store
        self._trust = trust
        self._cache = cache
        self._limits = limits
        self._memory_bytes = memory_bytes
        self._on_untrusted = on_untrusted
        self._loaded: OrderedDict[Release, VerifiedBundle] = OrderedDict()
        self._pending: dict[Release, asyncio.Future[VerifiedBundle | ModuleError | None]] = {}

    async def get(self, release: Release) -> VerifiedBundle:
        """The bundle of a release. Concurrent callers share one fetch and its failure. Raises ModuleError."""
        while True:
            loaded = self._loaded.get(release)
            if loaded is not None:
                self._loaded.move_to_end(release)
                return loaded
            pending = self._pending.get(release)
            if pending is None:
                return await self._lead(release)
            match await asyncio.shield(pending):
                case VerifiedBundle() as loaded:
                    return loaded
                case ModuleError() as error:
                    raise error.with_traceback(None)
            # The caller that fetched was cancelled. One of the waiting callers fetches now.

    def keep_only(self, sha256s: Collection[str]) -> None:
        """Drop bundles that the index does not list any more."""
        for release in [release for release in self._loaded if release.sha256 not in sha256s]:
            del self._loaded[release]

    def use_trust(self, trust: TrustStore) -> None:
        """Verify with this trust store, also what is in memory."""
        self._trust = trust
        self._loaded.clear()

    async def _lead(self, release: Release) -> VerifiedBundle:
        pending = self._pending[release] = asyncio.get_running_loop().create_future()
        outcome: VerifiedBundle | ModuleError | None = None
        try:
            outcome = await self._load(release)
        except ModuleError as error:
            outcome = error
            raise
        finally:
            del self._pending[release]
            pending.set_result(outcome)
        return outcome

    async def _load(self, release: Release) -> VerifiedBundle:
        try:
            loaded = await self._from_disk(release) or await self._from_registry(release)
        except (ModuleError, OSError):
            raise
        except Exception as bug:
            # Of the cache or the store. The job waits: neither it nor the worker is to blame.
            log.opt(exception=bug).error("bundle could not be loaded", module=release.file)
            raise RegistryAway(f"{release.file} could not be loaded", "the worker's log has the reason") from bug
        self._loaded[release] = loaded
        total = sum(len(each.data) for each in self._loaded.values())
        while total > self._memory_bytes and len(self._loaded) > 1:
            total -= len(self._loaded.popitem(last=False)[1].data)
        return loaded

    async def _from_disk(self, release: Release) -> VerifiedBundle | None:
        """None if there is no copy that can be read, or if it does not verify any more because the disk or the trust
        store has changed. Raises OSError if the process has no free descriptor."""
        try:
            untrusted = await asyncio.to_thread(self._cache.load_bundle, release.sha256)
        except OSError as error:
            if error.errno in USED_UP:
                raise
            log.warning("bundle on disk not read, fetching it", module=release.file, reason=error.strerror)
            return None
        if untrusted is None or len(untrusted.more_signatures) + 1 < release.signatures:
            return None
        try:
            return await asyncio.to_thread(self._verify, untrusted, release)
        except ModuleError as refused:
            self._note(refused)
            log.warning("bundle on disk refused, fetching it again", module=release.file, reason=str(refused))
            return None

    async def _from_registry(self, release: Release) -> VerifiedBundle:
        data, resumed = await self._download(release)
        files = [signature_file(release.file, number) for number in range(release.signatures)]
        first, *more = [(await self._store.get(file, MAX_SIGNATURE_BYTES)).data for file in files]
        untrusted = UntrustedBundle(data, first, tuple(more))
        try:
            loaded = await asyncio.to_thread(self._verify, untrusted, release)
        except ModuleError as refused:
            if resumed:
                # The parts may be of two files. The whole one decides.
                await asyncio.to_thread(self._cache.drop_begun, release.sha256)
                return await self._from_registry(release)
            self._note(refused)
            raise
        try:
            await asyncio.to_thread(self._cache.save_bundle, release.sha256, untrusted)
        except OSError as error:
            # The bundle is verified and in memory. Only a restart has to fetch it again.
            log.warning("bundle not stored on disk", module=release.file, reason=error.strerror)
        return loaded

    async def _download(self, release: Release) -> tuple[bytes, bool]:
        """The bytes of a bundle, and whether the first of them are from an earlier request. Raises RegistryAway,
        OSError."""
        begun = bytearray(await asyncio.to_thread(self._cache.load_begun, release.sha256))
        kept, tries_left = b"", DOWNLOAD_TRIES
        while True:
            before, tries_left = len(begun), tries_left - 1
            try:
                if before < release.bytes or not before:
                    await self._store.resume(release.file, self._limits.bundle_bytes, begun)
                return bytes(begun), bool(before)
            except RegistryAway:
                kept = max(kept, bytes(begun), key=len)
                if tries_left and len(begun) > before:
                    continue
                if tries_left and before:
                    begun.clear()  # The store may send whole files only.
                    continue
                if kept:
                    await asyncio.to_thread(self._cache.save_begun, release.sha256, kept)
                raise

    def _note(self, refused: ModuleError) -> None:
        if isinstance(refused, Untrusted):
            self._on_untrusted(refused)

    def _verify(self, untrusted: UntrustedBundle, release: Release) -> VerifiedBundle:
        try:
            return self._checked(untrusted, release)
        except ModuleError:
            raise
        except Exception as error:  # a bundle that we do not understand must not end the worker
            log.opt(exception=error).error("bundle could not be read", module=release.file)
            raise BundleMalformed(f"{release.file} cannot be read") from error

    def _checked(self, untrusted: UntrustedBundle, release: Release) -> VerifiedBundle:
        bundle = verify(untrusted, self._trust, limits=self._limits)
        if (bundle.name, bundle.version, bundle.sha256) != (release.name, release.version, release.sha256):
            raise BundleSwapped(
                f"{release.file} is not the bundle that the index lists: its name, version or SHA-256 differs"
            )
        return bundle

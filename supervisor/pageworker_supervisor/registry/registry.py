"""The registry of a worker: keeps the accepted index up to date, and resolves modules to verified bundles."""

import asyncio
import contextlib
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import msgspec

from pageworker_sandbox.signing import (
    LIMITS,
    Index,
    IndexedModule,
    IndexExpired,
    ModuleError,
    SigningLimits,
    TrustStore,
    Untrusted,
    VerifiedBundle,
    check_age,
    check_authority,
    verify_index,
)
from pageworker_sandbox.signing.minisig import parse as parse_signature
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.contract.worker_report import RefusedModule
from pageworker_supervisor.host.descriptor_check import USED_UP
from pageworker_supervisor.registry import resolve as resolution
from pageworker_supervisor.registry.bundles import Bundles
from pageworker_supervisor.registry.cache import CACHE_BYTES, Cache
from pageworker_supervisor.registry.clock_guard import ClockGuard
from pageworker_supervisor.registry.errors import ClockSetBack, ModuleUnknown, NotThere, RegistryAway, VersionSetAside
from pageworker_supervisor.registry.fleet_serial import FleetMemory
from pageworker_supervisor.registry.index_file import AuthenticIndex, fetch_index
from pageworker_supervisor.registry.load_failures import LoadFailures
from pageworker_supervisor.registry.resolve import Changes, Release, check_tenant
from pageworker_supervisor.registry.store import Store
from pageworker_supervisor.registry.version_choice import VersionWish
from pageworker_supervisor.registry.version_rules import FixedChannel, VersionRules
from pageworker_supervisor.rollouts.rollout_entry import Rollout
from pageworker_supervisor.telemetry import log

Clock = Callable[[], datetime]
SLOWEST_SECONDS = 60.0
RESTORE_RETRY_SECONDS = 0.5
LOOK_AGAIN_SECONDS = 1.0
"""Between two refreshes that jobs with unknown modules ask for."""


def utc_now() -> datetime:
    """The time by the clock of this host. An index expires by it."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class RegistryStatus:
    """State of the registry. `trouble` is None if the last refresh succeeded."""

    serial: int
    expires: datetime | None
    modules: int
    trouble: str | None


class Registry:
    """Modules by name. While the registry is away, verified modules stay usable until the index expires.

    `changed` is set when an index with changes is accepted. The waiting task clears it.
    """

    def __init__(
        self,
        source: str | Path,
        trust: TrustStore,
        state_dir: Path,
        rules: VersionRules,
        refresh_seconds: float = 5.0,
        limits: SigningLimits = LIMITS,
        now: Clock = utc_now,
        fleet: FleetMemory | None = None,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self.changed = asyncio.Event()
        self._store = Store(source)
        self._cache = Cache(state_dir, source, cache_bytes)
        self._bundles = Bundles(self._store, trust, self._cache, limits, on_untrusted=self._count)
        self._trust = trust
        self._rules = rules
        self._refresh_seconds = refresh_seconds
        self._limits = limits
        self._clock = ClockGuard(now)
        self._now = self._clock.now
        self._fleet = fleet
        self._index: Index | None = None
        self._index_key_id = b""
        self._serial = 0
        self._tag: str | None = None
        self._trouble: ModuleError | None = None
        self._looked_at = -math.inf
        """When the last refresh began. Monotonic seconds."""
        self._looking = asyncio.Lock()
        self._hurry = asyncio.Event()
        """Set if the next refresh should not wait for its time."""
        self._load_failures = LoadFailures()

    @classmethod
    async def open(
        cls,
        source: str | Path,
        trust: TrustStore,
        state_dir: Path,
        channel: str = resolution.STABLE,
        *,
        refresh_seconds: float = 5.0,
        limits: SigningLimits = LIMITS,
        now: Clock = utc_now,
        fleet: FleetMemory | None = None,
        rules: VersionRules | None = None,
        cache_bytes: int = CACHE_BYTES,
    ) -> "Registry":
        """Load the cached index, then refresh it. A registry that is away or refused raises nothing here; see `status`.

        `rules` choose among the versions. Without them, a module without this channel is taken from `stable`. `fleet`
        knows the highest serial that other workers have accepted: an older index is refused. `cache_bytes`: most bytes
        of bundles on disk. Waits while the process has no free file descriptors. Raises OSError if `state_dir` cannot
        be used.
        """
        rules = rules or FixedChannel(channel)
        registry = cls(source, trust, state_dir, rules, refresh_seconds, limits, now, fleet, cache_bytes)
        while True:
            try:
                await asyncio.to_thread(registry._restore)
                break
            except OSError as error:
                if error.errno not in USED_UP:
                    raise
                log.warning("registry cache not read yet", reason=str(error), retry_seconds=RESTORE_RETRY_SECONDS)
                await asyncio.sleep(RESTORE_RETRY_SECONDS)  # No event tells when a descriptor becomes free.
        await registry._try_refresh()
        return registry

    @property
    def status(self) -> RegistryStatus:
        """The current state, for status pages and readiness."""
        index = self._index
        trouble = self._trouble
        try:
            if trouble is None and index is not None and self._now() >= index.expires:
                trouble = IndexExpired("the index has expired")
        except ClockSetBack as wrong:
            trouble = wrong
        return RegistryStatus(
            serial=self._serial,
            expires=index.expires if index else None,
            modules=len(index.modules) if index else 0,
            trouble=f"{trouble}; {trouble.mend}" if trouble else None,
        )

    def use(self, refresh_seconds: float) -> None:
        """Look at the registry that often from the next look on."""
        self._refresh_seconds = refresh_seconds

    def listed(self, name: str) -> IndexedModule | None:
        """A module as the accepted index lists it."""
        return self._index.modules.get(name) if self._index is not None else None

    @property
    def trust(self) -> TrustStore:
        """The keys that are trusted now."""
        return self._trust

    @property
    def names(self) -> tuple[str, ...]:
        """The modules that the accepted index lists, sorted."""
        return tuple(sorted(self._index.modules)) if self._index is not None else ()

    def use_trust(self, trust: TrustStore) -> None:
        """Trust these keys from the next job on. The index and the bundles are verified again."""
        self._trust = trust
        self._bundles.use_trust(trust)
        self._tag = None
        self._hurry.set()

    async def run(self) -> NoReturn:
        """Refresh for ever, less often while the registry is away."""
        failures = 0
        while True:
            pause = min(self._refresh_seconds * 2**failures, max(SLOWEST_SECONDS, self._refresh_seconds))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause * random.uniform(0.8, 1.2)):
                    await self._hurry.wait()
            self._hurry.clear()
            failures = 0 if await self._try_refresh() else min(failures + 1, 16)

    async def look_again(self, since: float) -> None:
        """Refresh, unless a refresh has begun after `since` (monotonic seconds). Raises the error of a failed one.

        Of all jobs whose module is unknown, however many they are, only those that were pushed after the last refresh
        wait, and all of them for the same next one.
        """
        async with self._looking:
            if self._looked_at > since:
                return
            await asyncio.sleep(max(0.0, self._looked_at + LOOK_AGAIN_SECONDS - time.monotonic()))
            await self.refresh()

    async def refresh(self) -> Changes:
        """Read the index if it has changed. If the new one is refused, the accepted one stays in effect.

        Raises RegistryAway, BadSignature, UntrustedKey, IndexMalformed, IndexRolledBack, IndexExpired.
        """
        self._looked_at = time.monotonic()
        try:
            read = await self._fetch()
            changes = Changes() if read is None else await self._accept(read)
            if self._index is not None:
                check_age(self._index, self._now())
                await self._keep_clock()
        except ModuleError as trouble:
            if self._fleet is not None and isinstance(trouble, Untrusted):
                self._fleet.count(trouble)
                if self._is_new(trouble):
                    await self._fleet.report(trouble)
            self._note(trouble)
            raise
        except Exception as bug:
            # The accepted index stays in effect, and the next refresh may succeed.
            away = RegistryAway("the registry could not be read", "the worker's log has the reason")
            if self._is_new(away):
                log.opt(exception=bug).error("registry refresh met a bug")
            self._note(away)
            raise away from bug
        self._note(read.instead_of if read else None)
        if changes:
            self.changed.set()
        return changes

    def resolve(self, name: str, pin: str | None = None, job: JobRef | None = None, kept: str | None = None) -> Release:
        """The release that a job runs. `kept`: the version of its last attempt. Raises ModuleUnknown, IndexExpired,
        Untrusted if the key of the index does not count any more, and, if there never was an index, the error of the
        last refresh (RegistryAway, Untrusted, …).
        """
        if self._index is None:
            if self._trouble is not None:
                raise self._trouble.with_traceback(None)
            raise ModuleUnknown("the registry is empty: no module was ever published to it")
        check_age(self._index, self._now())
        self._trust.index_key(self._index_key_id, self._now())
        rules = self._rules
        tenant_pin = rules.tenant_pin(job.tenant_id, name) if job is not None else None
        wish = VersionWish(pin, tenant_pin, job, kept)
        release = resolution.resolve(self._index, name, wish, rules.scope(), rules.entry(name))
        return release if job is None else self._load_failures.going_on(self._index, release, job.tenant_id)

    async def load_failed(self, release: Release, pin: str | None, job: JobRef, reason: str) -> None:
        """A runner reports that it cannot import this release, or that the release failed its own test.

        Raises VersionSetAside if a channel or a rollout chose it, and another version goes on.
        """
        name, version = release.name, release.version
        if self._load_failures.refuse(job.tenant_id, name, version, reason):
            log.warning("module does not load", module=name, version=version, tenant_id=job.tenant_id, reason=reason)
            if self._fleet is not None:
                await self._fleet.report_load_failure(name, version, job.tenant_id, reason)
        try:
            other = self.resolve(name, pin, job).version
        except ModuleError:  # The index has changed or expired meanwhile. Nothing goes on.
            return
        if other != version and not self._load_failures.is_refused(job.tenant_id, name, other):
            raise VersionSetAside(f"{name} {version} does not load, {other} goes on: {reason}")

    @property
    def refused_modules(self) -> tuple[RefusedModule, ...]:
        """The versions that did not load, the newest first."""
        return self._load_failures.newest

    def running_rollout(self, name: str) -> Rollout | None:
        """The rollout of a module that shares out jobs now."""
        entry = self._rules.entry(name)
        return entry.running if entry is not None else None

    async def bundle(self, release: Release) -> VerifiedBundle:
        """The verified bundle of a release. Raises RegistryAway if it cannot be fetched, else the ModuleError of the
        verification.
        """
        return await self._bundles.get(release)

    def check_tenant(self, bundle: VerifiedBundle, tenant_id: str, channel: str | None = None) -> None:
        """Check that the module and the keys that signed it allow the tenant, and the keys the channel that led to it.

        Raises TenantNotAllowed, TenantOutOfScope, ChannelOutOfScope, BundleExpired, and Untrusted if the keys do not
        count any more.
        """
        check_tenant(bundle, tenant_id)
        check_authority(bundle.signed, self._trust, self._now(), tenant_id=tenant_id, channel=channel)

    async def _keep_clock(self) -> None:
        """What was valid at this time was so by the index, too: the clock may not go behind it."""
        if self._clock.observe():
            try:
                await asyncio.to_thread(self._cache.save_clock, self._now())
            except OSError as error:
                log.warning("the time is not stored in the registry cache", reason=str(error))

    def _restore(self) -> None:
        self._cache.make()
        self._clock.restore(self._cache.latest_clock())
        try:
            self._serial = self._cache.highest_serial()
        except msgspec.DecodeError as error:
            raise OSError(
                "the file `serial` in the registry cache is damaged: delete it if you trust the registry"
            ) from error
        kept = self._cache.load_index()
        if kept is None:
            return
        try:
            self._index = verify_index(kept, self._trust, self._now(), self._serial, self._limits)
            self._index_key_id = parse_signature(kept.signature).key_id
        except ModuleError as refused:
            log.info("cached index not used", reason=str(refused))

    async def _fetch(self) -> AuthenticIndex | None:
        """None if nothing is new. A registry that never had an index is empty. One that lost its index is an error."""
        try:
            return await fetch_index(self._store, self._trust, self._limits, self._tag, self._serial)
        except NotThere:
            if self._serial == 0:
                return None
            raise RegistryAway("the registry has lost its index", "publish again, with the same key") from None

    async def _accept(self, read: AuthenticIndex) -> Changes:
        check_age(read.index, self._now(), self._serial)
        if self._fleet is not None:
            await self._fleet.check(read.index.serial)
        changes = resolution.changes(self._index, read.index)
        if read.index != self._index:
            await self._keep(read)
        self._load_failures.moved(changes.moved)
        self._index, self._serial, self._tag = read.index, read.index.serial, read.tag
        self._index_key_id = read.key_id
        return changes

    async def _keep(self, read: AuthenticIndex) -> None:
        listed = {
            listing.sha256
            for module in read.index.modules.values()
            for listing in module.versions.values()
            if not listing.yanked
        }
        self._bundles.keep_only(listed)
        try:
            await asyncio.to_thread(self._cache.save_index, read.raw, read.index.serial)
        except OSError as error:
            # Without the serial on disk, an older index could be accepted after a restart.
            raise RegistryAway(
                "the index cannot be stored in the data folder", f"{error.strerror}: check the data folder"
            ) from error
        try:
            await asyncio.to_thread(self._cache.keep_only, listed)
        except OSError as error:
            log.warning("old bundles not deleted from the registry cache", reason=str(error))

    def _count(self, untrusted: Untrusted) -> None:
        if self._fleet is not None:
            self._fleet.count(untrusted)

    async def _try_refresh(self) -> bool:
        try:
            await self.refresh()
        except ModuleError:
            return False
        return True

    def _is_new(self, trouble: ModuleError) -> bool:
        return self._trouble is None or str(self._trouble) != str(trouble)

    def _note(self, trouble: ModuleError | None) -> None:
        """Log a problem once when it changes, not at every refresh."""
        new = trouble is not None and self._is_new(trouble)
        before, self._trouble = self._trouble, trouble
        if trouble is not None and new:
            log.warning("registry refresh failed", reason=str(trouble), mend=trouble.mend, serial=self._serial)
        elif trouble is None and before is not None:
            log.info("registry is back", serial=self._serial)

"""The worker's secrets: from the backend, cached within their lease, and renewed before it ends."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from pageworker_sandbox.task_group import TaskGroup
from pageworker_supervisor.secrets.backend import BackendLogin, FetchedSecret, SecretBackend, SecretRef
from pageworker_supervisor.secrets.errors import SecretMissing, SecretUnavailable
from pageworker_supervisor.telemetry import log

RENEW_SHARE = 0.5
"""Of a lease: after it, the next use and the renewal ask the backend again. The rest of the lease covers an outage."""
RETRY_SHARE = 0.05
"""Of a lease: the pause between two tries of a renewal that failed."""
SHORTEST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 30.0


@dataclass
class CachedSecret:
    """A value with a lease. Times are those of the store's clock."""

    secret: FetchedSecret
    fetched_at: float
    used_at: float
    tried_at: float

    @property
    def renew_from(self) -> float:
        """From then on the backend is asked again."""
        return self.fetched_at + RENEW_SHARE * self.secret.lease_seconds

    @property
    def ends_at(self) -> float:
        """The lease's end: the value must not be used any more."""
        return self.fetched_at + self.secret.lease_seconds


class SecretStore:
    """Values by name. While the backend does not answer, the last value is given within its lease, and no longer."""

    def __init__(self, backend: SecretBackend, clock: Callable[[], float] = time.monotonic) -> None:
        self._backend = backend
        self._clock = clock
        self._cached: dict[SecretRef, CachedSecret] = {}
        self._locks: dict[SecretRef, asyncio.Lock] = {}
        self._some_cached = asyncio.Event()

    async def fetch(self, ref: SecretRef) -> FetchedSecret:
        """The secret's value. Raises SecretMissing, SecretUnavailable."""
        cached = self._cached.get(ref)
        if cached is not None and self._clock() < cached.renew_from:
            cached.used_at = self._clock()
            return cached.secret
        # Jobs that ask for one secret at the same time cost one question.
        lock = self._locks.setdefault(ref, asyncio.Lock())
        try:
            async with lock:
                return await self._ask(ref, used=True)
        finally:
            if not lock.locked() and ref not in self._cached:
                self._locks.pop(ref, None)

    def ends_in(self) -> float | None:
        """Seconds until the first lease or the backend's login ends unless it is renewed; None: nothing ends."""
        now = self._clock()
        ends = [cached.ends_at - now for cached in self._cached.values()]
        if isinstance(self._backend, BackendLogin) and (login := self._backend.login_ends_in()) is not None:
            ends.append(login)
        return min(ends, default=None)

    async def run(self) -> None:
        """Renew what is used, and forget what is not, until cancelled."""
        async with TaskGroup() as tasks:
            tasks.create_task(self._backend.run(), name="secret backend")
            tasks.create_task(self._renew(), name="renew secrets")

    async def _renew(self) -> None:
        while True:
            # A worker without leases does not wake up.
            await self._some_cached.wait()
            await asyncio.sleep(self._pause_seconds())
            now = self._clock()
            for ref, cached in list(self._cached.items()):
                if now >= cached.used_at + cached.secret.lease_seconds:
                    del self._cached[ref]
                    self._locks.pop(ref, None)
                elif now >= cached.renew_from and now >= cached.tried_at + RETRY_SHARE * cached.secret.lease_seconds:
                    await self._renew_one(ref)
            if not self._cached:
                self._some_cached.clear()

    async def _renew_one(self, ref: SecretRef) -> None:
        try:
            async with self._locks.setdefault(ref, asyncio.Lock()):
                await self._ask(ref, used=False)
        except SecretMissing as gone:
            log.warning("a secret is gone", secret_name=str(ref), reason=str(gone))
        except SecretUnavailable as away:
            log.error("a secret's lease has ended", secret_name=str(ref), reason=str(away))

    def _pause_seconds(self) -> float:
        leases = [cached.secret.lease_seconds for cached in self._cached.values()]
        shortest = min(leases, default=0.0)
        return min(LONGEST_PAUSE_SECONDS, max(SHORTEST_PAUSE_SECONDS, RETRY_SHARE * shortest))

    async def _ask(self, ref: SecretRef, *, used: bool) -> FetchedSecret:
        now = self._clock()
        cached = self._cached.get(ref)
        if cached is not None and used:
            cached.used_at = now
            if now < cached.renew_from:
                return cached.secret  # another job has just asked
        if cached is not None:
            cached.tried_at = now
        try:
            secret = await self._backend.fetch(ref)
        except SecretMissing:
            self._cached.pop(ref, None)
            raise
        except SecretUnavailable as away:
            if cached is None or self._clock() >= cached.ends_at:
                self._cached.pop(ref, None)
                raise
            left = cached.ends_at - self._clock()
            log.warning(
                "secret backend does not answer, the last value is used",
                secret_name=str(ref),
                reason=str(away),
                left_seconds=round(left, 1),
            )
            return cached.secret
        if secret.lease_seconds > 0:
            # From before the question: the backend counts the lease from its answer, so this one ends first.
            self._cached[ref] = CachedSecret(secret, now, now if used or cached is None else cached.used_at, now)
            self._some_cached.set()
        return secret

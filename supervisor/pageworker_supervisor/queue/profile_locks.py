"""Who has a profile open, and the lock of a command that changes one."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from msgspec import Struct

from pageworker_sandbox.task_group import TaskGroup
from pageworker_supervisor.queue.functions import Shards, unpacked
from pageworker_supervisor.redis_client.errors import RedisClientError

EXTEND_SECONDS = 10.0
"""Well below the shortest lease."""
PROFILES_PER_CALL = 100


class ProfileHeld(Exception):
    """A worker, or another command, has the profile open. `holder`: its name."""

    def __init__(self, holder: str) -> None:
        super().__init__(f"the profile is open: {holder} holds it")
        self.holder = holder


class KnownProfile(Struct, frozen=True):
    """What Redis holds of a profile; "": nothing."""

    worker: str
    """Who has it open."""
    store: str
    """Id of the store in which it lives."""
    host: str
    """That opened it there last."""


class ProfileLock(Struct, frozen=True):
    """The lock of a profile that is open."""

    holder: str
    """A worker, or a command on one profile."""
    fence: int
    left_seconds: float
    """Until it runs out, unless its holder extends it. Below 0: it has run out, and nothing has released it yet."""


class ProfileLocks:
    """The lock of a profile is on the shard of its tenant. All calls raise RedisClientError."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    async def read(self, tenant_id: str, profile_ids: Sequence[str]) -> list[KnownProfile]:
        """One per profile, in their order."""
        found: list[KnownProfile] = []
        for first in range(0, len(profile_ids), PROFILES_PER_CALL):
            some = list(profile_ids[first : first + PROFILES_PER_CALL])
            shard = self._shards.of(tenant_id)
            rows = unpacked(await self._shards.call(shard, "read_profiles", tenant=tenant_id, profiles=some))
            found += [KnownProfile(row["worker"], row["store"], row["host"]) for row in rows]
        return found

    async def lock(self, tenant_id: str, profile_id: str) -> ProfileLock | None:
        """The lock of a profile; None: it is closed."""
        reply = await self._shards.call(
            self._shards.of(tenant_id), "read_profiles", tenant=tenant_id, profiles=[profile_id]
        )
        (row,) = unpacked(reply)
        return ProfileLock(row["worker"], int(row["fence"]), row["left_ms"] / 1000) if row["worker"] else None

    async def unlock(self, tenant_id: str, profile_id: str, lock: ProfileLock) -> bool:
        """Release a lock of any holder. Jobs of the profile can be claimed. False: it is another one by now."""
        return await self._release(tenant_id, profile_id, lock.holder, lock.fence)

    @asynccontextmanager
    async def held(self, tenant_id: str, profile_id: str, name: str, *, ask: bool = False) -> AsyncIterator[int]:
        """Lock a profile for the block. Yields the fence of the lock. Raises ProfileHeld.

        `name`: of the holder, for people. No worker claims a job of the profile meanwhile. A process that is killed
        leaves a lock that expires, as that of a worker does. `ask`: a worker whose runner has the profile and no job
        of it is asked to close it.
        """
        holder = f"{name}:{os.urandom(4).hex()}"
        fence = await self._hold(tenant_id, profile_id, holder, **({"ask": True} if ask else {}))
        failed: Exception | None = None
        try:
            async with TaskGroup() as tasks:
                extending = tasks.create_task(self._extend(tenant_id, profile_id, holder))
                try:
                    yield fence
                except Exception as error:  # noqa: BLE001 - raised again below: here it would be in a group
                    failed = error
                finally:
                    extending.cancel()
        finally:
            await self._release(tenant_id, profile_id, holder, fence)
        if failed is not None:
            raise failed

    async def _extend(self, tenant_id: str, profile_id: str, holder: str) -> None:
        # A lost lock does not end the block: a store has a lock or a fence of its own.
        with suppress(ProfileHeld, RedisClientError):
            while True:
                await asyncio.sleep(EXTEND_SECONDS)
                await self._hold(tenant_id, profile_id, holder)

    async def _release(self, tenant_id: str, profile_id: str, holder: str, fence: int) -> bool:
        shard = self._shards.of(tenant_id)
        request = {"worker": holder, "tenant": tenant_id, "profile": profile_id, "fence": fence}
        return bool(await self._shards.call(shard, "release_profile", **request))

    async def _hold(self, tenant_id: str, profile_id: str, holder: str, **more: bool) -> int:
        shard = self._shards.of(tenant_id)
        request = {"tenant": tenant_id, "profile": profile_id, "holder": holder, **more}
        found, fence = await self._shards.call(shard, "hold_profile", **request)
        if found.decode() != holder:
            raise ProfileHeld(found.decode())
        return int(fence)

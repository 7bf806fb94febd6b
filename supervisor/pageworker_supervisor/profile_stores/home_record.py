"""The fleet's record of the store of each profile, as the profiles' package asks for it."""

import socket

from pageworker_profiles.errors import ProfileElsewhere, SnapshotStoreAway
from pageworker_supervisor.queue.profile_stores import ProfileStoreRecord, ProfileStores
from pageworker_supervisor.redis_client.availability import Availability
from pageworker_supervisor.redis_client.errors import RedisClientError


class HomeRecord:
    """See ProfileHomes. A call waits while Redis is away, as every call for a job does."""

    def __init__(self, stores: ProfileStores, availability: Availability, host: str | None = None) -> None:
        self._stores = stores
        self._availability = availability
        self._host = socket.gethostname() if host is None else host

    async def claim(self, tenant_id: str, profile_id: str, store: str) -> bool:
        """See ProfileHomes."""
        found = await self._claim(tenant_id, profile_id, store, keep=False)
        if found.store != store:
            where = f"the store of host {found.host}" if found.host != self._host else "another store of this host"
            raise ProfileElsewhere(
                f"the profile {tenant_id}/{profile_id} lives in {where} ({found.store}), and this worker has {store}: "
                "run its jobs there, or share one store (docs/profiles.md)"
            )
        return found.kept

    async def keep(self, tenant_id: str, profile_id: str, store: str) -> None:
        """See ProfileHomes."""
        await self._claim(tenant_id, profile_id, store, keep=True)

    async def _claim(self, tenant_id: str, profile_id: str, store: str, *, keep: bool) -> ProfileStoreRecord:
        try:
            return await self._availability.retry_until_available(
                lambda: self._stores.claim(tenant_id, profile_id, store, self._host, keep=keep)
            )
        except RedisClientError as error:
            # Redis refuses this call alone. The job waits, and the worker goes on.
            raise SnapshotStoreAway(f"the record of the profile's store cannot be read: {error}") from error

"""Which store each profile of the fleet lives in, and events about profiles."""

from msgspec import Struct

from pageworker_supervisor.queue.functions import Shards, opaque


class ProfileStoreRecord(Struct, frozen=True):
    """Where a profile lives."""

    store: str
    """Id of the store."""
    host: str
    """That opened it there last."""
    kept: bool
    """Whether a snapshot of it was stored."""


class ProfileStores:
    """The record of a profile is on the shard of its tenant. All calls raise RedisClientError."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    async def claim(
        self, tenant_id: str, profile_id: str, store: str, host: str, *, keep: bool = False
    ) -> ProfileStoreRecord:
        """Record that a profile lives in this store, unless it lives in another one. Returns the record then.

        `keep`: a snapshot of it is in the store, so it lives there whatever the record said.
        """
        found, where, kept = await self._shards.call(
            self._shards.of(tenant_id),
            "claim_profile_store",
            tenant=tenant_id,
            profile=profile_id,
            store=store,
            host=host,
            **({"keep": True} if keep else {}),
        )
        return ProfileStoreRecord(found.decode(), where.decode(), kept == b"1")

    async def forget(self, tenant_id: str, profile_id: str) -> bool:
        """The profile was removed: any store may begin it anew. False: there was no record."""
        shard = self._shards.of(tenant_id)
        return bool(await self._shards.call(shard, "forget_profile_store", tenant=tenant_id, profile=profile_id))

    async def tell(self, tenant_id: str, event: bytes) -> None:
        """Publish an event, JSON, on the channel of a tenant."""
        await self._shards.call(self._shards.of(tenant_id), "profile_event", tenant=tenant_id, event=opaque(event))

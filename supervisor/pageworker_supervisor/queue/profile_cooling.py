"""Cool-downs of profiles: after a site has blocked a job of a profile, its next job starts later."""

from pageworker_supervisor.queue.functions import Shards


class ProfileCooling:
    """The record of a profile is on the shard of its tenant. All calls raise RedisClientError."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    async def cool(self, tenant_id: str, profile_id: str, seconds: float) -> float:
        """Let the profile cool down for this time. A longer cool-down that is in force stays. Returns the seconds
        until its end."""
        reply = await self._shards.call(
            self._shards.of(tenant_id),
            "cool_profile",
            tenant=tenant_id,
            profile=profile_id,
            for_ms=max(1, round(seconds * 1000)),
        )
        return int(reply) / 1000

    async def seconds_left(self, tenant_id: str, profile_id: str) -> float:
        """Seconds until the cool-down of the profile ends. 0: it does not cool down."""
        reply = await self._shards.call(
            self._shards.of(tenant_id), "read_profile_cooling", tenant=tenant_id, profile=profile_id
        )
        return int(reply) / 1000

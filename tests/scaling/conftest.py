"""A fleet without workers on a real Redis: the clients that a fleet process has."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from msgspec import Struct

from pageworker_supervisor.config.ingress_settings import IngressSettings
from pageworker_supervisor.config.scaling_settings import ScalingSettings
from pageworker_supervisor.config.settings import RedisSettings, Settings, TenantSettings
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.redis_client import RedisClient, connect


class FleetClients(Struct, frozen=True):
    """What `FleetReader` and `FleetWatch` are made of."""

    redis_client: RedisClient
    queue: QueueClient
    settings: Settings

    async def send(self, *words: Any) -> Any:
        """One command; its second word is the key."""
        return await self.redis_client.send(*words, key=words[1])


@asynccontextmanager
async def fleet_clients(
    url: str,
    *,
    shards: int = 1,
    ingress_url: str | None = None,
    tenants: dict[str, TenantSettings] | None = None,
    **scaling: Any,
) -> AsyncIterator[FleetClients]:
    """Clients of the Redis at this URL."""
    redis = RedisSettings(url=url, shards=shards, ingress_url=ingress_url)
    settings = Settings(
        redis=redis,
        scaling=ScalingSettings(**scaling),
        ingress=IngressSettings(tenant_inboxes=tenants is not None),
        tenants=tenants or {},
    )
    redis_client = connect(settings.redis)
    try:
        yield FleetClients(redis_client, QueueClient(redis_client, shards=shards), settings)
    finally:
        await redis_client.aclose()

"""The way to Redis: standalone, Sentinel, Cluster, or one of the daemon's own."""

from pageworker_supervisor.redis_client.availability import Availability
from pageworker_supervisor.redis_client.client import RedisClient, connect, connect_embedded, open_redis_client
from pageworker_supervisor.redis_client.embedded import EmbeddedRedis

__all__ = ["Availability", "EmbeddedRedis", "RedisClient", "connect", "connect_embedded", "open_redis_client"]

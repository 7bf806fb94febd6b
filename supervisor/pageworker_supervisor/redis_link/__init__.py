"""The way to Redis: standalone, Sentinel, Cluster, or one of the daemon's own."""

from pageworker_supervisor.redis_link.availability import Availability
from pageworker_supervisor.redis_link.embedded import EmbeddedRedis
from pageworker_supervisor.redis_link.link import Link, connect, connect_embedded, open_link

__all__ = ["Availability", "EmbeddedRedis", "Link", "connect", "connect_embedded", "open_link"]

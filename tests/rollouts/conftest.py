"""The shared Redis."""

from pw_servers.fixtures import live_cluster, live_redis, shared_cluster, shared_redis

__all__ = ["live_cluster", "live_redis", "shared_cluster", "shared_redis"]

"""The shared Redis."""

from pw_servers.fixtures import live_redis, shared_redis

__all__ = ["live_redis", "shared_redis"]

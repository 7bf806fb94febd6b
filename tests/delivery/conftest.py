"""The shared Redis, for the tests that need the real outbox."""

from pw_servers.fixtures import live_redis, shared_redis

__all__ = ["live_redis", "shared_redis"]

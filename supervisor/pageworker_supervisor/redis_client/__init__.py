"""The client of Redis: standalone, Sentinel, Cluster, or a server embedded in the daemon.

`client.py` is one deployment; `router.py` sends each command to the right server; `availability.py` says what is
repeated, and knows whether Redis serves now.
"""

from pageworker_supervisor.redis_client import lean_import as lean_import  # isort: split

from pageworker_supervisor.redis_client.availability import Availability
from pageworker_supervisor.redis_client.client import RedisClient
from pageworker_supervisor.redis_client.embedded import EmbeddedRedis
from pageworker_supervisor.redis_client.factory import connect, connect_embedded, open_redis_client
from pageworker_supervisor.redis_client.router import Router

__all__ = [
    "Availability",
    "EmbeddedRedis",
    "RedisClient",
    "Router",
    "connect",
    "connect_embedded",
    "open_redis_client",
]

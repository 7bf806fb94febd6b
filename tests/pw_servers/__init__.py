"""Real Redis servers for tests, on free loopback ports, in temporary folders, gone with the test."""

from pw_servers.cluster import Cluster, cluster, newcomer
from pw_servers.proxy import RespProxy, resp_proxy
from pw_servers.sentinel import Sentinels, sentinel
from pw_servers.standalone import RedisServer, redis_server

__all__ = [
    "Cluster",
    "RedisServer",
    "RespProxy",
    "Sentinels",
    "cluster",
    "newcomer",
    "redis_server",
    "resp_proxy",
    "sentinel",
]

"""Pytest fixtures over the servers. The shared ones are emptied before each test that uses them."""

from collections.abc import AsyncIterator, Iterator

import pytest

from pw_servers.cluster import Cluster, cluster
from pw_servers.proxy import RespProxy, resp_proxy
from pw_servers.sentinel import Sentinels, sentinel
from pw_servers.standalone import RedisServer, redis_server


@pytest.fixture(scope="session")
def shared_redis() -> Iterator[RedisServer]:
    """One server for the whole run. Use `live_redis` instead, which empties it first."""
    with redis_server() as server:
        yield server


@pytest.fixture
def live_redis(shared_redis: RedisServer) -> RedisServer:
    """A standalone server without keys and functions, shared by tests that do not stop it."""
    shared_redis.command("FLUSHALL")
    shared_redis.command("FUNCTION", "FLUSH")
    return shared_redis


@pytest.fixture
async def proxied_redis(live_redis: RedisServer) -> AsyncIterator[RespProxy]:
    """The shared server behind a proxy that can lose replies."""
    async with resp_proxy(live_redis) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def shared_cluster() -> Iterator[Cluster]:
    """Three primaries with a replica each, for the whole run."""
    with cluster(primaries=3, replicas=1) as formed:
        yield formed


@pytest.fixture
def live_cluster(shared_cluster: Cluster) -> Cluster:
    """The shared cluster without keys and functions."""
    shared_cluster.wait_ok()
    for node in [*shared_cluster.nodes, *shared_cluster.replicas]:
        if node.command("ROLE")[0] == b"master":
            node.command("FLUSHALL")
            node.command("FUNCTION", "FLUSH")
    return shared_cluster


@pytest.fixture(scope="session")
def shared_sentinel() -> Iterator[Sentinels]:
    """A primary, a replica and three sentinels, for the whole run."""
    with sentinel() as group:
        yield group


@pytest.fixture
def live_sentinel(shared_sentinel: Sentinels) -> Sentinels:
    """The shared sentinel group without keys and functions."""
    shared_sentinel.primary.command("FLUSHALL")
    shared_sentinel.primary.command("FUNCTION", "FLUSH")
    shared_sentinel.wait_replicating()
    return shared_sentinel

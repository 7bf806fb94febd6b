"""redis-py's clients for each topology, and the options that all of them share.

- No retries: by default redis-py 8 repeats a command up to ten times, so a write whose reply was lost would run twice.
  Only the caller can tell which commands may run twice (availability.py).
- RESP2: nothing here needs push messages, and replies of functions are the same in both versions. RESP3 costs a HELLO
  and, in redis-py, a maintenance handshake per connection, for which a minimal ACL user has no permission.
- Replies are bytes: bodies and results are passed on unchanged.
- redis-py closes a connection on which a command was cancelled (redis-py#2624). Tests check this, and that a command
  can be cancelled at all (connections.py).
"""

from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import ConnectionPool
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.credentials import CredentialProvider

from pageworker_supervisor.redis_client.cluster import ClusterClient
from pageworker_supervisor.redis_client.connections import (
    Cancellable,
    PrimaryConnection,
    SocketConnection,
    TcpConnection,
    TlsConnection,
    TlsPrimaryConnection,
)
from pageworker_supervisor.redis_client.url import RedisUrl, Topology

COMMAND_SECONDS = 5.0
BLOCKING_SECONDS = 12.0
"""Socket timeout of blocking clients: LONGEST_BLOCK_SECONDS, and time for a slow server."""
LONGEST_BLOCK_SECONDS = 8.0
CONNECT_SECONDS = 3.0
SENTINEL_SECONDS = 1.0
HEALTH_SECONDS = 30.0
"""A connection that was idle for this time gets a PING first, so that a lost one is noticed before a write."""
MAX_CONNECTIONS = 1000

Client = Any
"""redis.asyncio.Redis or RedisCluster. redis-py types both too loosely for a more precise type."""


class Clients:
    """Creates clients for one URL, and closes all of them."""

    def __init__(
        self,
        url: RedisUrl,
        ca_file: Path | None,
        name: str,
        credentials: CredentialProvider | None = None,
        sentinel_credentials: CredentialProvider | None = None,
    ) -> None:
        self._url = url
        self._login = _login(url.username, url.password, credentials)
        self._sentinel_login = _login(url.sentinel_username, url.sentinel_password, sentinel_credentials)
        self._ca_file = ca_file
        self._name = name
        self._made: list[Client] = []
        self._sentinel: Sentinel | None = None

    def commands(self) -> Client:
        """A client for calls that are answered at once."""
        return self._make(COMMAND_SECONDS, HEALTH_SECONDS)

    def blocking(self) -> Client:
        """A client with connections of its own, for calls that block up to LONGEST_BLOCK_SECONDS."""
        return self._make(BLOCKING_SECONDS, 0)

    async def aclose(self) -> None:
        """Close every connection."""
        for client in self._made:
            await client.aclose()
        self._made.clear()
        if self._sentinel is not None:
            await self._sentinel.aclose()
            self._sentinel = None

    def _make(self, socket_timeout: float, health_check_interval: float) -> Client:
        options: dict[str, Any] = {
            **self._login,
            "socket_timeout": socket_timeout,
            "health_check_interval": health_check_interval,
            "client_name": self._name,
            "driver_info": None,
            "protocol": 2,
            "decode_responses": False,
            "max_connections": MAX_CONNECTIONS,
        }
        client = self._of_topology(options)
        self._made.append(client)
        return client

    def _of_topology(self, options: dict[str, Any]) -> Client:
        url, tls = self._url, self._url.tls
        options["retry"] = Retry(NoBackoff(), 0)
        if url.topology is Topology.UNIX:
            return _pooled(SocketConnection, path=url.path, db=url.db, **options)
        options |= {"socket_connect_timeout": CONNECT_SECONDS, "socket_keepalive": True} | self._trust()
        if url.topology is Topology.CLUSTER:
            return _cluster(url, TlsConnection if tls else TcpConnection, options)
        if url.topology is Topology.SENTINEL:
            kind: type[Cancellable] = TlsPrimaryConnection if tls else PrimaryConnection
            return self._watched().master_for(url.service, db=url.db, connection_class=kind, **options)
        ((host, port),) = url.hosts
        return _pooled(TlsConnection if tls else TcpConnection, host=host, port=port, db=url.db, **options)

    def _watched(self) -> Sentinel:
        if self._sentinel is None:
            options: dict[str, Any] = {
                **self._sentinel_login,
                "socket_timeout": SENTINEL_SECONDS,
                "socket_connect_timeout": SENTINEL_SECONDS,
                "retry": Retry(NoBackoff(), 0),
                "driver_info": None,
                "protocol": 2,
                **self._trust(),
            }
            kind = TlsConnection if self._url.tls else TcpConnection
            make: Any = Sentinel  # redis-py leaves its constructor untyped
            self._sentinel = sentinel = make(())
            sentinel.sentinels = [_pooled(kind, host=host, port=port, **options) for host, port in self._url.hosts]
        return self._sentinel

    def _trust(self) -> dict[str, Any]:
        return {"ssl_ca_certs": str(self._ca_file)} if self._url.tls and self._ca_file else {}


def _login(username: str | None, password: str | None, provider: CredentialProvider | None) -> dict[str, Any]:
    # redis-py accepts one or the other.
    return {"username": username, "password": password} if provider is None else {"credential_provider": provider}


def _pooled(kind: type[Cancellable], **options: Any) -> Redis:
    return Redis.from_pool(ConnectionPool(connection_class=kind, **options))


def _cluster(url: RedisUrl, kind: type[TcpConnection | TlsConnection], options: dict[str, Any]) -> ClusterClient:
    # A listed node that is down, or a slot range without a primary, must not prevent connections to the others.
    nodes = [ClusterNode(host, port) for host, port in url.hosts]
    cluster = ClusterClient(startup_nodes=nodes, require_full_coverage=False, ssl=url.tls, **options)
    # RedisCluster has no parameter for its connection class. Nodes found later are created from `connection_kwargs`.
    cluster.connection_kwargs["connection_class"] = kind
    for node in cluster.startup_nodes:
        node.connection_class = kind
    return cluster

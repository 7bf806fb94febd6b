"""One Redis deployment, whatever its topology: a router to it, and whether it serves."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from redis.credentials import CredentialProvider

from pageworker_supervisor.redis_client.availability import Availability
from pageworker_supervisor.redis_client.clients import Clients
from pageworker_supervisor.redis_client.embedded import EmbeddedRedis
from pageworker_supervisor.redis_client.errors import EmbeddedUnfit, RedisUnavailable
from pageworker_supervisor.redis_client.probe import ServiceProbe
from pageworker_supervisor.redis_client.router import Router, unobserved
from pageworker_supervisor.redis_client.url import Topology, parse_url
from pageworker_supervisor.telemetry.metrics import Metrics


class RedisClient(Router):
    """A router to the Redis at a URL, with its availability. Connects with the first call.

    `ingress` is where producers push: the same Redis, unless `redis.ingress_url` names another one.
    """

    def __init__(
        self,
        url: str,
        ca_file: Path | None = None,
        *,
        setting: str = "redis.url",
        credentials: CredentialProvider | None = None,
        sentinel_credentials: CredentialProvider | None = None,
        probed_keys: Sequence[str] = (),
        functions: bool = True,
        embedded: EmbeddedRedis | None = None,
        ingress: "RedisClient | None" = None,
        metrics: Metrics | None = None,
    ) -> None:
        """`probed_keys`: one key of each slot that this client is used for. `functions`: it calls functions there.

        `credentials` replace those in the URL. `ingress` is closed together with this client. Raises ConfigInvalid that
        names `setting`.
        """
        parsed = parse_url(url, setting)
        self.safe_url = parsed.safe
        self.ports = frozenset(port for _, port in parsed.hosts)
        """TCP ports of the servers, or of the Sentinels."""
        self._topology = parsed.topology
        self._clients = Clients(parsed, ca_file, "pageworker", credentials, sentinel_credentials)
        observe = metrics.redis.seconds.observe if metrics is not None else unobserved
        super().__init__(self._clients.commands(), self._clients.blocking(), observe=observe)
        self._probe = ServiceProbe(self, probed_keys, functions)
        self._embedded = embedded
        self._ingress = ingress
        self._metrics = metrics
        self.availability = Availability(self.probe, self._count)
        if metrics is not None:
            metrics.redis.up.set(1)

    @property
    def ingress(self) -> "RedisClient":
        """The client of the Redis that holds `inbox` and `jobs`."""
        return self._ingress or self

    async def replicas(self) -> int:
        """Connected replicas of the primary that has the fewest. Raises RedisClientError."""
        return _replicas(await self.send_to_primaries("INFO", "replication"))

    async def has_replicas(self, infos: Sequence[Mapping[str, Any]] | None = None) -> bool:
        """Whether this deployment is built to survive the loss of a primary, even if it has just lost one.

        That is so with Sentinel. A cluster's nodes list replicas that are down, too. `infos`: what INFO has just told
        of each primary, if it was asked. Raises RedisClientError.
        """
        if self._topology is Topology.SENTINEL:
            return True
        if self._topology is Topology.CLUSTER:
            views = await self.send_to_primaries("CLUSTER NODES")
            return any("slave" in node["flags"] for nodes in views for node in nodes.values())
        return (_replicas(infos) if infos else await self.replicas()) > 0

    async def probe(self) -> None:
        """Restart an embedded server that died. Raises RedisClientError unless Redis serves a worker's calls."""
        if self._embedded is not None:
            try:
                await self._embedded.revive()
            except EmbeddedUnfit as unfit:
                # A full disk or a taken port may pass: until then the worker is alive, but not ready.
                raise RedisUnavailable(str(unfit)) from unfit
        await self._probe.run()

    async def aclose(self) -> None:
        """Close every connection."""
        if self._ingress is not None:
            await self._ingress.aclose()
        await self._clients.aclose()

    def _count(self, up: bool) -> None:
        if self._metrics is not None:
            self._metrics.redis.up.set(int(up))
            if up:
                self._metrics.redis.reconnects.inc()


def _replicas(infos: Sequence[Mapping[str, Any]]) -> int:
    return min(int(info.get("connected_slaves", 0)) for info in infos)

"""One Redis, whatever its topology: clients to talk to it, and whether it is there."""

import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

from redis.credentials import CredentialProvider

from pageworker_supervisor.config.settings import RedisSettings
from pageworker_supervisor.redis_client.availability import Availability
from pageworker_supervisor.redis_client.clients import Client, Clients
from pageworker_supervisor.redis_client.credentials import PasswordFile
from pageworker_supervisor.redis_client.embedded import EmbeddedRedis
from pageworker_supervisor.redis_client.errors import CLIENT_ERRORS, EmbeddedUnfit, RedisUnavailable, classify
from pageworker_supervisor.redis_client.pipeline import run_pipeline
from pageworker_supervisor.redis_client.redis_folder import RedisFolder
from pageworker_supervisor.redis_client.sharding import root
from pageworker_supervisor.redis_client.url import Topology, parse_url
from pageworker_supervisor.redis_client.users import WORKER
from pageworker_supervisor.telemetry.metrics import Metrics

Word = str | bytes | int | float

PROBE = "#!lua\nreturn 1"
"""With this first line it is held to what it may do before it runs, as functions are. Does nothing."""
PADDING = bytes(32 * 1024)
"""Room for a job: a Redis that has less left is full."""
NO_FUNCTION = "pageworker_none"
NO_FUNCTION_SAID = "Function not found"
"""What everybody is told who has the right to call functions."""


class RedisClient:
    """A Redis. Nothing is connected before the first call.

    `commands` is the client for calls that are answered at once. `ingress` is where producers push: the same Redis
    unless `redis.ingress_url` says otherwise.
    """

    def __init__(
        self,
        url: str,
        ca_file: Path | None = None,
        *,
        key: str = "redis.url",
        credentials: CredentialProvider | None = None,
        sentinel_credentials: CredentialProvider | None = None,
        probed: Sequence[str] = (),
        functions: bool = True,
        embedded: EmbeddedRedis | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        """`probed`: a key of each slot that the link is used for; `functions`: whether it calls functions there.

        `credentials` take the place of those in the URL.
        """
        parsed = parse_url(url, key)
        self.safe_url = parsed.safe
        self.ports = frozenset(port for _, port in parsed.hosts)
        """TCP ports of the Redis, or of its Sentinels."""
        self._probed = probed
        self._functions = functions
        self._topology = parsed.topology
        self.is_cluster = parsed.topology is Topology.CLUSTER
        self._clients = Clients(parsed, ca_file, "pageworker", credentials, sentinel_credentials)
        self._embedded = embedded
        self._metrics = metrics
        self._ingress: RedisClient | None = None
        self.commands: Client = self._clients.commands()
        self._blocking: Client = self._clients.blocking()
        self.availability = Availability(self.probe, self._changed)
        if metrics is not None:
            metrics.redis_up.set(1)

    @property
    def ingress(self) -> "RedisClient":
        """Where `inbox` and `jobs` are."""
        return self._ingress or self

    def blocking(self) -> Client:
        """A client with connections of its own, for calls that block."""
        return self._clients.blocking()

    async def send(self, *words: Word, key: str, blocks: bool = False) -> Any:
        """One command that touches `key`, as plain as redis-py gives the reply. Raises RedisClientError."""
        client = self._blocking if blocks else self.commands
        with _our_errors():
            return await client.execute_command(*words, **await self._at(client, key))

    async def pipe(self, commands: Sequence[Sequence[Word]], *, key: str, blocks: bool = False) -> list[Any]:
        """Commands that touch the slot of `key`, in one go and in order; not a transaction. Raises RedisClientError."""
        client = self._blocking if blocks else self.commands
        if self.is_cluster:
            # Cluster pipelines of the client split and repeat by themselves: one after the other is plain.
            return [await self.send(*command, key=key, blocks=blocks) for command in commands]
        with _our_errors():
            return await run_pipeline(client, commands)

    async def primaries(self, *words: Word) -> list[Any]:
        """The replies of every primary to one command. Raises RedisClientError."""
        with _our_errors():
            if not self.is_cluster:
                return [await self.commands.execute_command(*words)]
            await self.commands.initialize()
            nodes = self.commands.get_primaries()
            return [await self.commands.execute_command(*words, target_nodes=node) for node in nodes]

    async def replicas(self) -> int:
        """Replicas that follow now, of the primary that has the fewest: what WAIT may hope for."""
        found = await self.primaries("INFO", "replication")
        return min(int(info.get("connected_slaves", 0)) for info in found)

    async def has_replicas(self) -> bool:
        """Whether this deployment is made to survive the loss of a primary, even if it has just lost one.

        Sentinels are there for that; a cluster's nodes know of replicas that are down. Raises RedisClientError.
        """
        if self._topology is Topology.SENTINEL:
            return True
        if self._topology is Topology.CLUSTER:
            known = await self.primaries("CLUSTER NODES")
            return any("slave" in node["flags"] for nodes in known for node in nodes.values())
        return await self.replicas() > 0

    async def probe(self) -> None:
        """Raises RedisClientError unless Redis serves a worker. An embedded server that died is started again."""
        if self._embedded is not None:
            try:
                await self._embedded.revive()
            except EmbeddedUnfit as unfit:
                # A full disk or a taken port may pass: the worker is not ready until then, but alive.
                raise RedisUnavailable(str(unfit)) from unfit
        if self.is_cluster or not self._probed:
            await self.primaries("PING")
        for key in self._one_of_each_primary():
            # Refused as any script that may write: by a replica, without memory, with too few replicas, on a full disk.
            await self.send("EVAL", PROBE, 1, key, PADDING, key=key)
            if self._functions:
                await self._may_call_functions(key)

    def _one_of_each_primary(self) -> list[str]:
        if not self.is_cluster:
            return list(self._probed[:1])
        with _our_errors():
            return list({self.commands.get_node_from_key(key).name: key for key in self._probed}.values())

    async def _may_call_functions(self, key: str) -> None:
        try:
            await self.send("FCALL", NO_FUNCTION, 1, key, key=key)
        except RedisUnavailable as answer:
            if NO_FUNCTION_SAID not in str(answer):
                raise

    async def aclose(self) -> None:
        """Close every connection."""
        if self._ingress is not None:
            await self._ingress.aclose()
        await self._clients.aclose()

    def attach_ingress(self, ingress: "RedisClient") -> None:
        """Producers push to another Redis. It is closed with this one."""
        self._ingress = ingress

    async def _at(self, client: Client, key: str) -> dict[str, Any]:
        if not self.is_cluster:
            return {}
        await client.initialize()
        # Named by hand: the client would ask the server where the keys of some commands are.
        return {"target_nodes": client.get_node_from_key(key)}

    def _changed(self, up: bool) -> None:
        if self._metrics is not None:
            self._metrics.redis_up.set(int(up))
            if up:
                self._metrics.redis_reconnects.inc()


@contextlib.contextmanager
def _our_errors() -> Iterator[None]:
    try:
        yield
    except CLIENT_ERRORS as error:
        raise classify(error) from error


def connect(settings: RedisSettings, metrics: Metrics | None = None) -> RedisClient:
    """A link to `redis.url`, with its ingress. Raises ConfigInvalid for a URL that means nothing."""
    if settings.url is None:
        raise ValueError("without redis.url there is no Redis to connect to: open_link() starts one")
    inbox = f"{settings.prefix}:inbox"
    link = RedisClient(
        settings.url,
        settings.ca_file,
        credentials=_from_file(settings.url, settings.password_file, "redis.password_file"),
        sentinel_credentials=_sentinels(settings.url, settings.sentinel_password_file),
        probed=[*_roots(settings), *([inbox] if settings.ingress_url is None else [])],
        metrics=metrics,
    )
    if settings.ingress_url is not None:
        file = settings.ingress_password_file
        credentials = _from_file(settings.ingress_url, file, "redis.ingress_password_file")
        link.attach_ingress(
            RedisClient(
                settings.ingress_url,
                settings.ca_file,
                key="redis.ingress_url",
                credentials=credentials,
                probed=[inbox],
                functions=False,
            )
        )
    return link


@contextlib.asynccontextmanager
async def open_redis_client(
    settings: RedisSettings, data_dir: Path, metrics: Metrics | None = None, user: int | None = None
) -> AsyncIterator[RedisClient]:
    """The worker's link for the block. Without `redis.url` a Redis of its own runs as long as the block, under the user
    id `user` (None: ours).

    Raises ConfigInvalid for a URL, EmbeddedUnfit where no Redis can be started here.
    """
    async with contextlib.AsyncExitStack() as stack:
        if settings.url is not None:
            link = connect(settings, metrics)
        else:
            server = EmbeddedRedis(data_dir, settings.port, user=user, prefix=settings.prefix)
            embedded = await stack.enter_async_context(server)
            link = _to_embedded(settings, embedded.folder, embedded, metrics)
        stack.push_async_callback(link.aclose)
        yield link


def connect_embedded(settings: RedisSettings, data_dir: Path) -> RedisClient:
    """A link to the Redis that another process, a worker, has started in this data folder."""
    return _to_embedded(settings, RedisFolder(data_dir))


def _to_embedded(
    settings: RedisSettings,
    folder: RedisFolder,
    embedded: EmbeddedRedis | None = None,
    metrics: Metrics | None = None,
) -> RedisClient:
    file = folder.password_file(WORKER)
    return RedisClient(
        embedded.url if embedded else folder.socket_url(),
        credentials=PasswordFile(file, WORKER, "the file"),
        probed=[*_roots(settings), f"{settings.prefix}:inbox"],
        embedded=embedded,
        metrics=metrics,
    )


def _roots(settings: RedisSettings) -> list[str]:
    return [root(settings.prefix, shard) for shard in range(settings.shards)]


def _from_file(url: str, file: Path | None, setting: str) -> PasswordFile | None:
    return None if file is None else PasswordFile(file, parse_url(url, "redis.url").username, setting)


def _sentinels(url: str, file: Path | None) -> PasswordFile | None:
    if file is None:
        return None
    return PasswordFile(file, parse_url(url).sentinel_username, "redis.sentinel_password_file")

"""Connects commands to a worker and to its Redis. They read the same configuration as the worker."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

from cyclopts import Parameter

from pageworker_supervisor.cli.output import CommandError, CommandExit
from pageworker_supervisor.config.central_document import EMPTY, CentralValues
from pageworker_supervisor.config.data_dir import data_dir_of
from pageworker_supervisor.config.errors import ConfigInvalid
from pageworker_supervisor.config.load import LocalLayers, read_local
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.options import QueueOptions
from pageworker_supervisor.redis_client import RedisClient, connect, connect_embedded
from pageworker_supervisor.redis_client.errors import RedisClientError
from pageworker_supervisor.redis_client.redis_folder import RedisFolder

if TYPE_CHECKING:
    from pageworker_supervisor.admin.control_client import WorkerClient

ANSWER_SECONDS = 1.0
"""How long a command waits for an answer. With the start of Python, it reports a frozen Redis or worker within 2 s."""
CHECK_REDIS = (
    "Check with `redis-cli PING` whether Redis is running, suspended or overloaded. `workerctl status` and `workerctl"
    " logs` ask the worker of this host, without Redis."
)
CHECK_WORKER = (
    "Start `pageworker`, or check whether it is suspended or overloaded. `workerctl status --fleet` and all commands on"
    " jobs and tenants need Redis only."
)

Config = Annotated[
    Path | None,
    Parameter(
        name=("--config", "-c"),
        help="Configuration file of the worker. Default: $PAGEWORKER_CONFIG, else the default settings.",
    ),
]


class OpenQueue(NamedTuple):
    """What a command to Redis works with."""

    redis_client: RedisClient
    queue: QueueClient
    settings: Settings

    @property
    def prefix(self) -> str:
        """`redis.prefix`."""
        return self.settings.redis.prefix

    @property
    def shards(self) -> int:
        """`redis.shards`."""
        return self.settings.redis.shards


def settings_of(config: Path | None) -> Settings:
    """The settings of the worker. Raises CommandError, with every mistake, if they are invalid."""
    return valid(local_layers_of(config))


def local_layers_of(config: Path | None) -> LocalLayers:
    """File and environment of the worker."""
    return read_local(config, os.environ)


def valid(local: LocalLayers, values: CentralValues = EMPTY) -> Settings:
    """The settings in effect. Raises CommandError, with every mistake, if they are invalid."""
    try:
        return local.settings(values)
    except ConfigInvalid as invalid:
        raise CommandError(str(invalid), exit_code=CommandExit.USAGE) from invalid


def worker_of(config: Path | None) -> "WorkerClient":
    """A client of the worker on this host that uses this configuration."""
    # An HTTP client takes as long to import as everything that a command to Redis needs.
    from pageworker_supervisor.admin.control_client import WorkerClient

    return WorkerClient(data_dir_of(settings_of(config)), ANSWER_SECONDS)


@asynccontextmanager
async def open_queue(config: Path | None, *, probed: bool | None = True) -> AsyncIterator[OpenQueue]:
    """Redis, the queue and the settings for the length of the block. Raises CommandError if Redis does not answer.

    `probed=False`: Redis has to answer only. Whether it serves a worker's calls is for the block to find out. None:
    what answers is for the block to find out as well, for each shard.
    """
    async with queue_of(settings_of(config), probed=probed) as opened:
        yield opened


@asynccontextmanager
async def queue_of(settings: Settings, *, probed: bool | None) -> AsyncIterator[OpenQueue]:
    """As `open_queue`, for settings that are read already."""
    redis_client, queue = clients_of(settings)
    try:
        if probed is not None:
            await _probe(redis_client, with_calls=probed)
        yield OpenQueue(redis_client, queue, settings)
    except RedisClientError as error:
        raise CommandError(
            printable(f"Redis at {redis_client.safe_url}: {error}"), CHECK_REDIS, CommandExit.UNREACHABLE
        ) from error
    finally:
        await redis_client.aclose()


def clients_of(settings: Settings) -> tuple[RedisClient, QueueClient]:
    """Redis, which the caller closes, and the queue, without asking whether Redis answers. Raises CommandError if the
    embedded Redis is not running."""
    redis = settings.redis
    if redis.url is None:
        embedded_folder(settings)
        redis_client = connect_embedded(redis, data_dir_of(settings))
    else:
        redis_client = connect(redis)
    options = QueueOptions(result_ttl_seconds=settings.results.ttl_seconds)
    return redis_client, QueueClient(redis_client, prefix=redis.prefix, shards=redis.shards, options=options)


async def _probe(redis_client: RedisClient, *, with_calls: bool) -> None:
    """Check that Redis answers. The client's own retries would keep the user waiting without a message for much longer.

    Raises CommandError, RedisClientError.
    """
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            if not with_calls:
                await redis_client.send_to_primaries("PING")
                return
            await redis_client.probe()
            if redis_client.ingress is not redis_client:
                await redis_client.ingress.probe()
    except TimeoutError:
        what = f"Redis at {redis_client.safe_url} does not answer within {ANSWER_SECONDS:g} s"
        raise CommandError(printable(what), CHECK_REDIS, CommandExit.UNREACHABLE) from None


def embedded_folder(settings: Settings) -> RedisFolder:
    """The folder of the embedded Redis. Raises CommandError if that is not running, or belongs to another user."""
    data_dir = data_dir_of(settings)
    folder = RedisFolder(data_dir)
    try:
        running = folder.port.exists()
    except PermissionError as error:
        raise CommandError(
            f"{folder.path}: permission denied. Only root and the user of the worker may use its Redis",
            "Run workerctl as that user, or give --config a file that sets redis.url.",
            CommandExit.UNREACHABLE,
        ) from error
    if not running:
        raise CommandError(
            f"no worker has started a Redis in {data_dir}, and redis.url is not set",
            "Start `pageworker`, or give --config a file that sets redis.url.",
            CommandExit.UNREACHABLE,
        )
    return folder

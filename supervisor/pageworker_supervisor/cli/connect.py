"""How commands reach a worker and its Redis: through the same configuration that the worker reads."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pageworker_supervisor.admin.control_client import WorkerClient
from pageworker_supervisor.cli.output import CommandError, CommandExit
from pageworker_supervisor.config.data_dir import data_dir_of
from pageworker_supervisor.config.errors import ConfigInvalid
from pageworker_supervisor.config.load import load
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.options import QueueOptions
from pageworker_supervisor.redis_client import RedisClient, connect, connect_embedded
from pageworker_supervisor.redis_client.errors import RedisClientError
from pageworker_supervisor.redis_client.redis_folder import RedisFolder

ANSWER_SECONDS = 3.0
ASK_REDIS = "is it running, suspended, or busy with something else? `redis-cli PING` tells"

Config = Annotated[
    Path | None,
    Parameter(name=("--config", "-c"), help="The worker's configuration file. Default: $PAGEWORKER_CONFIG, else none."),
]


def settings_of(config: Path | None) -> Settings:
    """The worker's settings. Ends the command where they are wrong."""
    chosen = config or (Path(os.environ["PAGEWORKER_CONFIG"]) if os.environ.get("PAGEWORKER_CONFIG") else None)
    environ = {name: value for name, value in os.environ.items() if name != "PAGEWORKER_CONFIG"}
    try:
        return load(chosen, environ)
    except ConfigInvalid as invalid:
        raise CommandError(str(invalid), exit_code=CommandExit.USAGE) from invalid


def worker_of(config: Path | None) -> WorkerClient:
    """The worker on this host that runs with this configuration."""
    return WorkerClient(data_dir_of(settings_of(config)))


@asynccontextmanager
async def open_queue(config: Path | None) -> AsyncIterator[tuple[RedisClient, QueueClient, Settings]]:
    """The queue, for the block. Ends the command where Redis does not answer."""
    settings = settings_of(config)
    redis = settings.redis
    if redis.url is None:
        embedded_folder(settings)
        redis_client = connect_embedded(redis, data_dir_of(settings))
    else:
        redis_client = connect(redis)
    try:
        await _answers(redis_client)
        queue = QueueClient(
            redis_client,
            prefix=redis.prefix,
            shards=redis.shards,
            options=QueueOptions(result_ttl_seconds=settings.results.ttl_seconds),
        )
        yield redis_client, queue, settings
    except RedisClientError as error:
        raise CommandError(
            printable(f"Redis at {redis_client.safe_url}: {error}"), ASK_REDIS, CommandExit.UNREACHABLE
        ) from error
    finally:
        await redis_client.aclose()


async def _answers(redis_client: RedisClient) -> None:
    """Whether Redis answers at all, soon: a command must not be silent for as long as every call of its own may take.

    Raises CommandError, RedisClientError.
    """
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await redis_client.probe()
            if redis_client.ingress is not redis_client:
                await redis_client.ingress.probe()
    except TimeoutError:
        what = f"Redis at {redis_client.safe_url} does not answer within {ANSWER_SECONDS:g} s"
        raise CommandError(printable(what), ASK_REDIS, CommandExit.UNREACHABLE) from None


def embedded_folder(settings: Settings) -> RedisFolder:
    """That of the daemon's own Redis, which runs. Ends the command where it does not, or is closed to us."""
    data_dir = data_dir_of(settings)
    folder = RedisFolder(data_dir)
    try:
        running = folder.port.exists()
    except PermissionError as error:
        raise CommandError(
            f"{folder.path}: only root and the worker's own user may use its Redis",
            "run workerctl as that user, or name the configuration that has redis.url with --config",
            CommandExit.UNREACHABLE,
        ) from error
    if not running:
        raise CommandError(
            f"no worker has started a Redis in {data_dir}",
            "start `pageworker`, or name the configuration that has redis.url with --config",
            CommandExit.UNREACHABLE,
        )
    return folder

"""Redis clients from the settings: `redis.url`, `redis.ingress_url`, or the embedded server."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from pageworker_supervisor.config.settings import RedisSettings
from pageworker_supervisor.redis_client.client import RedisClient
from pageworker_supervisor.redis_client.credentials import PasswordFile
from pageworker_supervisor.redis_client.embedded import EmbeddedRedis
from pageworker_supervisor.redis_client.redis_folder import RedisFolder
from pageworker_supervisor.redis_client.router import root
from pageworker_supervisor.redis_client.url import parse_url
from pageworker_supervisor.redis_client.users import WORKER
from pageworker_supervisor.telemetry.metrics import Metrics


@contextlib.asynccontextmanager
async def open_redis_client(
    settings: RedisSettings,
    data_dir: Path,
    metrics: Metrics | None = None,
    user: int | None = None,
    namespace: int | None = None,
) -> AsyncIterator[RedisClient]:
    """The worker's client, for the block.

    Without `redis.url` an embedded server runs for the block, under the user id `user` (None: the daemon's own).
    `namespace`: as in EmbeddedRedis.
    Raises ConfigInvalid for a URL that cannot be parsed, EmbeddedUnfit if the server cannot start.
    """
    async with contextlib.AsyncExitStack() as stack:
        if settings.url is not None:
            redis_client = connect(settings, metrics)
        else:
            server = EmbeddedRedis(data_dir, settings.port, user=user, namespace=namespace, prefix=settings.prefix)
            embedded = await stack.enter_async_context(server)
            redis_client = _to_embedded(settings, embedded.folder, embedded, metrics)
        stack.push_async_callback(redis_client.aclose)
        yield redis_client


def connect(settings: RedisSettings, metrics: Metrics | None = None) -> RedisClient:
    """A client of `redis.url`, with its ingress. Raises ConfigInvalid for a URL that cannot be parsed."""
    if settings.url is None:
        raise ValueError("redis.url is not set: open_redis_client() starts an embedded Redis instead")
    inbox = f"{settings.prefix}:inbox"
    ingress = None
    if settings.ingress_url is not None:
        ingress = RedisClient(
            settings.ingress_url,
            settings.ca_file,
            setting="redis.ingress_url",
            credentials=_credentials(
                settings.ingress_url, settings.ingress_password_file, "redis.ingress_password_file", "redis.ingress_url"
            ),
            probed_keys=[inbox],
            functions=False,
        )
    return RedisClient(
        settings.url,
        settings.ca_file,
        credentials=_credentials(settings.url, settings.password_file, "redis.password_file"),
        sentinel_credentials=_sentinel_credentials(settings.url, settings.sentinel_password_file),
        probed_keys=[*_roots(settings), *([inbox] if ingress is None else [])],
        ingress=ingress,
        metrics=metrics,
    )


def connect_embedded(settings: RedisSettings, data_dir: Path) -> RedisClient:
    """A client of the embedded server that another process, a worker, runs in this data folder."""
    return _to_embedded(settings, RedisFolder(data_dir))


def _to_embedded(
    settings: RedisSettings,
    folder: RedisFolder,
    embedded: EmbeddedRedis | None = None,
    metrics: Metrics | None = None,
) -> RedisClient:
    return RedisClient(
        embedded.url if embedded else folder.socket_url(),
        credentials=folder.credentials(WORKER),
        probed_keys=[*_roots(settings), f"{settings.prefix}:inbox"],
        embedded=embedded,
        metrics=metrics,
    )


def _roots(settings: RedisSettings) -> list[str]:
    return [root(settings.prefix, shard) for shard in range(settings.shards)]


def _credentials(url: str, file: Path | None, file_setting: str, url_setting: str = "redis.url") -> PasswordFile | None:
    return None if file is None else PasswordFile(file, parse_url(url, url_setting).username, file_setting)


def _sentinel_credentials(url: str, file: Path | None) -> PasswordFile | None:
    if file is None:
        return None
    return PasswordFile(file, parse_url(url).sentinel_username, "redis.sentinel_password_file")

"""A real API server on a real Redis, with tokens of a table in memory."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
from msgspec import Struct, structs
from pw_servers.no_tls import NO_TLS

from pageworker_supervisor.access.api_user import api_rules
from pageworker_supervisor.api.server import ApiServer
from pageworker_supervisor.config.api_settings import ApiSettings
from pageworker_supervisor.config.layers import Layer
from pageworker_supervisor.config.load import LocalLayers
from pageworker_supervisor.config.settings import RedisSettings, Settings, TenantSettings
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.library import library
from pageworker_supervisor.redis_client import RedisClient, connect
from pageworker_supervisor.redis_client.errors import RedisUnavailable


class GivenGrant(Struct, frozen=True):
    """What a token of the table permits."""

    tenant_id: str | None
    scopes: frozenset[str]
    token_id: str
    expires_at: float | None = None


API_USER = "pw-api"
ALL = frozenset({"viewer", "producer", "operator", "publisher"})
TOKENS: Mapping[str, GivenGrant] = {
    "pw_a1_secret": GivenGrant("acme", ALL, "a1"),
    "pw_b1_secret": GivenGrant("beta", ALL, "b1"),
    "pw_v1_secret": GivenGrant("acme", frozenset({"viewer"}), "v1", 2_000_000_000.0),
    "pw_p1_secret": GivenGrant("acme", frozenset({"publisher"}), "p1"),
    "pw_f1_secret": GivenGrant(None, ALL, "f1"),
}


@dataclass
class GivenTokens:
    """The table."""

    tokens: Mapping[str, GivenGrant] = field(default_factory=lambda: TOKENS)
    asked: int = 0

    async def grant(self, untrusted_token: str) -> GivenGrant | None:
        """As the reader of tokens in Redis."""
        self.asked += 1
        return self.tokens.get(untrusted_token)


class ServedApi(Struct, frozen=True):
    """A client of a running API, and the queue behind it. `as_` gives the headers of a token."""

    client: httpx.AsyncClient
    port: int
    queue: QueueClient
    tokens: GivenTokens
    server: ApiServer

    def as_(self, token_id: str) -> dict[str, str]:
        """The header of a token of the table."""
        return {"Authorization": f"Bearer pw_{token_id}_secret"}


def settings_for(
    url: str, api: ApiSettings | None = None, tenants: dict[str, TenantSettings] | None = None
) -> Settings:
    """Of an API without a file."""
    return Settings(
        redis=RedisSettings(url=url),
        api=api or ApiSettings(bind="127.0.0.1:0"),
        tenants=tenants or {"acme": TenantSettings(), "beta": TenantSettings()},
    )


async def as_api_user(redis_client: RedisClient, queue: QueueClient, settings: Settings) -> RedisClient:
    """A connection as the user that `workerctl redis acl` prints. A worker has loaded the functions."""
    await queue.load()
    url = settings.redis.url or ""
    audits, page = settings.audit.key_file is not None, settings.status_page.enabled
    rules = api_rules(queue.prefix, library(queue.prefix, cluster=False), audits=audits, page=page)
    for words in (("SETUSER", API_USER, "reset", "on", ">secret", *rules), ("LOG", "RESET")):
        await redis_client.send("ACL", *words, key="")
    return connect(structs.replace(settings.redis, url=url.replace("redis://", f"redis://{API_USER}:secret@")))


@asynccontextmanager
async def serving(settings: Settings, local: LocalLayers | None = None) -> AsyncIterator[ServedApi]:
    """An API with these settings, as the Redis user that it needs. `local`: what it reads them from again when the
    central configuration changes. `queue` has all rights, as that of a worker."""
    none = Layer("file", {}, (), lambda _: None)
    redis_client, tokens = connect(settings.redis), GivenTokens()
    queue = QueueClient(redis_client, shards=settings.redis.shards)
    own_client = await as_api_user(redis_client, queue, settings)
    server = ApiServer.open("127.0.0.1:0", own_client, local or LocalLayers(none, none), settings, lambda _: tokens)
    port = server.address[1]
    try:
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(server.run())
            async with httpx.AsyncClient(
                trust_env=False, verify=NO_TLS, base_url=f"http://127.0.0.1:{port}", timeout=60
            ) as client:
                async with asyncio.timeout(30):
                    while (await client.get("/readyz")).status_code != 200:
                        pass
                yield ServedApi(client, port, queue, tokens, server)
            running.cancel()
        with contextlib.suppress(RedisUnavailable):  # a test may have cut the connection
            refused = {row[row.index(b"object") + 1] for row in await redis_client.send("ACL", "LOG", key="")}
            assert refused <= {b"function|load"}, "the API may not do what it does"
    finally:
        await own_client.aclose()
        await redis_client.aclose()

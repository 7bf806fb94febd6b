"""Many idle and slow connections: the API answers beside them, and keeps them."""

import asyncio

from api.conftest import serving, settings_for
from pw_servers import RedisServer

from pageworker_supervisor.config.api_settings import ApiSettings
from pageworker_supervisor.host.descriptor_limit import raise_limit

IDLE, SLOW = 2000, 200
HEAD = b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer pw_a1_secret\r\nContent-Length: 100\r\n\r\n{"
PROBE = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


async def test_idle_and_slow_connections_hold(live_redis: RedisServer) -> None:
    raise_limit()
    fast = ApiSettings(bind="127.0.0.1:0", burst=1000)
    async with serving(settings_for(live_redis.url, fast)) as api, asyncio.timeout(120):
        idle = [await asyncio.open_connection("127.0.0.1", api.port) for _ in range(IDLE)]
        for _, writer in idle:
            writer.write(PROBE)
        for reader, _ in idle:
            assert (await reader.readuntil(b'alive"}\n')).startswith(b"HTTP/1.1 200")
        slow = [await asyncio.open_connection("127.0.0.1", api.port) for _ in range(SLOW)]
        for _, writer in slow:
            writer.write(HEAD)  # the rest of the body does not come
        job = {"job_id": "17", "endpoint_module": "shop.product"}
        assert (await api.client.post("/v1/jobs", json=job, headers=api.as_("a1"))).status_code == 202
        for reader, writer in idle:  # each is served once more over the same connection
            writer.write(PROBE)
            assert (await reader.readuntil(b'alive"}\n')).startswith(b"HTTP/1.1 200")
        assert not any(reader.at_eof() for reader, _ in slow)
        for _, writer in (*idle, *slow):
            writer.transport.abort()

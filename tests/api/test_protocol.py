"""Requests that are no HTTP."""

import asyncio

from api.conftest import serving, settings_for
from pw_servers import RedisServer

HEADS = (
    b"nonsense\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
)


async def test_what_is_no_http_gets_a_problem_document(live_redis: RedisServer) -> None:
    async with serving(settings_for(live_redis.url)) as api:
        for head in HEADS:
            reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
            writer.write(head)
            async with asyncio.timeout(30):
                answer = await reader.read()
            assert answer.startswith(b"HTTP/1.1 400 ")
            assert b"content-type: application/problem+json" in answer
            assert b'"code":"invalid_request"' in answer
            writer.transport.abort()

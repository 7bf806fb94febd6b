"""Requests that are no HTTP."""

import asyncio

from api.conftest import serving, settings_for
from pw_servers import RedisServer

from pageworker_supervisor.api.protocol import framing_problem

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


async def test_a_request_of_two_lengths_ends_its_connection(live_redis: RedisServer) -> None:
    """A proxy may see one request where the API sees two, the second with the token of another client."""
    hidden = b"GET /v1/whoami HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer pw_b1_secret\r\n\r\n"
    head = b"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with serving(settings_for(live_redis.url)) as api:
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        writer.write(head + b"0\r\n\r\n" + hidden)
        async with asyncio.timeout(30):
            answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert answer.count(b"HTTP/1.1 ") == 1
        assert b'"code":"invalid_request"' in answer
        writer.transport.abort()


def test_one_length_is_certain() -> None:
    assert framing_problem([(b"content-length", b"1"), (b"host", b"a")]) is None
    assert framing_problem([(b"transfer-encoding", b"chunked")]) is None

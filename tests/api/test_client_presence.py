"""What is done for a client ends with its connection."""

import asyncio

import pytest
from api.conftest import serving, settings_for
from pw_servers import RedisServer
from starlette.types import Message

from pageworker_supervisor.api.client_presence import while_connected
from pageworker_supervisor.api.problem import ApiProblem

JOB = {"job_id": "17", "endpoint_module": "shop.product"}
WAIT = b"GET /v1/jobs/17/result?wait=60 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer pw_a1_secret\r\n\r\n"


async def test_no_request_waits_for_a_client_that_is_gone(live_redis: RedisServer) -> None:
    async with serving(settings_for(live_redis.url)) as api, asyncio.timeout(30):
        await api.client.post("/v1/jobs", json=JOB, headers=api.as_("a1"))
        before = len(asyncio.all_tasks())
        opened = [await asyncio.open_connection("127.0.0.1", api.port) for _ in range(20)]
        for _, writer in opened:
            writer.write(WAIT)
        while len(asyncio.all_tasks()) < before + 20:
            await api.client.get("/healthz")
        for _, writer in opened:
            writer.transport.abort()
        while len(asyncio.all_tasks()) > before:
            await api.client.get("/healthz")


async def test_a_call_ends_as_it_does_without_a_client() -> None:
    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def call(error: Exception | None) -> int:
        if error is not None:
            raise error
        return 1

    assert await while_connected(receive, call(None)) == 1
    with pytest.raises(ValueError, match="wrong"):
        await while_connected(receive, call(ValueError("wrong")))


async def test_a_call_without_a_client_is_cancelled() -> None:
    ended = asyncio.Event()
    messages: list[Message] = [{"type": "http.request"}, {"type": "http.disconnect"}]

    async def receive() -> Message:
        return messages.pop(0)

    async def call() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(ApiProblem):
        await while_connected(receive, call())
    assert ended.is_set()

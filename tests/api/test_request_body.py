"""Bodies within limits of size, time and memory."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from api.conftest import serving, settings_for
from pw_servers import RedisServer
from starlette.requests import Request
from starlette.types import Message

from pageworker_supervisor.api.problem import ApiProblem
from pageworker_supervisor.api.request_body import RequestBodies
from pageworker_supervisor.config.api_settings import ApiSettings

LEAST = 512 * 1024


def request(*chunks: bytes, ends: bool = True) -> Request:
    """A request whose body comes in these parts."""
    left = list(chunks)

    async def receive() -> Message:
        if not left:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left) or not ends}

    return Request({"type": "http", "method": "POST", "headers": []}, receive)


async def test_a_body_as_large_as_the_setting_permits(live_redis: RedisServer) -> None:
    small = ApiSettings(bind="127.0.0.1:0", max_body_bytes=LEAST)
    async with serving(settings_for(live_redis.url, small)) as api:
        headers = {**api.as_("a1"), "Content-Type": "application/json"}
        fits = await api.client.post("/v1/jobs", content=b" " * LEAST, headers=headers)
        assert fits.json()["code"] == "invalid_json"
        large = await api.client.post("/v1/jobs", content=b" " * (LEAST + 1), headers=headers)
        assert (large.status_code, large.json()["code"]) == (413, "body_too_large")

        async def parts() -> AsyncIterator[bytes]:
            for _ in range(3):
                yield b" " * (LEAST // 2)

        chunked = await api.client.post("/v1/jobs", content=parts(), headers=headers)
        assert (chunked.status_code, chunked.json()["code"]) == (413, "body_too_large")
        assert (await api.client.get("/v1/whoami", headers=headers)).status_code == 200


async def test_parts_are_joined_and_their_memory_is_given_back() -> None:
    bodies = RequestBodies(100, together_bytes=20)
    for _ in range(3):
        async with bodies.json(request(b"12345", b"67890"), "acme") as body:
            assert body == b"1234567890"
            with pytest.raises(ApiProblem, match="overloaded") as refused:
                async with bodies.json(request(b"1"), "acme"):
                    pass
            assert "Retry-After" in refused.value.headers
            async with bodies.json(request(b"1234567890"), "beta") as other:
                assert len(other) == 10, "a tenant takes half at most"


async def test_a_body_that_does_not_end() -> None:
    bodies = RequestBodies(100, together_bytes=20, seconds=0.05)
    with pytest.raises(ApiProblem, match="body_timeout"):
        async with bodies.json(request(b"12345", ends=False), "acme"):
            pass
    async with bodies.json(request(b"1234567890"), "acme") as body:
        assert len(body) == 10, "nothing is held of the one that was cut"

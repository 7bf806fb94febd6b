"""The loopback server: it answers while its block runs, and not afterwards."""

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from pageworker_demo.loopback_server import free_port, loopback_socket, served


async def hello(_: object) -> PlainTextResponse:
    return PlainTextResponse("hello")


async def test_it_answers_while_its_block_runs() -> None:
    async with httpx.AsyncClient() as client:
        async with served(Starlette(routes=[Route("/", hello)])) as port:
            # At once: a client that comes before the server waits in the socket's backlog.
            assert (await client.get(f"http://127.0.0.1:{port}/")).text == "hello"
        with pytest.raises(httpx.ConnectError):
            await client.get(f"http://127.0.0.1:{port}/")


def test_a_free_port_can_be_bound() -> None:
    with loopback_socket() as taken:
        assert free_port() != taken.getsockname()[1]

"""One side of an HTTP exchange: heads and bodies in any pieces, with limits of time and size."""

import asyncio
import socket
from contextlib import AbstractAsyncContextManager

import h11
import pytest
from pw_egress.client import client
from pw_egress.http_side import http_side
from pw_egress.origin import answering, serving
from pw_egress.running_proxy import running, to

from pageworker_sandbox.egress.errors import Disconnected
from pageworker_sandbox.egress.http import HttpSide
from pageworker_sandbox.egress.limits import EgressLimits


def side(limits: EgressLimits | None = None) -> AbstractAsyncContextManager[tuple[HttpSide, socket.socket]]:
    """The gateway's side towards a runner, and the runner's socket."""
    return http_side(h11.SERVER, limits or EgressLimits())


async def test_a_head_that_comes_byte_by_byte_is_one_request() -> None:
    async with side() as (runner, peer):
        for byte in b"GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n":
            peer.send(bytes((byte,)))
            await asyncio.sleep(0)
        request = await runner.request()
        assert request is not None
        assert request.target == b"http://a.test/"


async def test_small_parts_of_a_body_are_joined_and_its_end_is_told() -> None:
    async with side() as (runner, peer):
        peer.sendall(b"POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert await runner.request() is not None
        peer.sendall(b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n")
        data, end = await runner.body()
        while end is None:
            more, end = await runner.body()
            data += more
        assert data == b"ab"


async def test_a_body_that_ends_early_is_no_complete_one() -> None:
    async with side() as (runner, peer):
        peer.sendall(b"POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nContent-Length: 9\r\n\r\nhalf")
        assert await runner.request() is not None
        peer.shutdown(socket.SHUT_WR)
        with pytest.raises((Disconnected, h11.RemoteProtocolError)):
            while True:
                await runner.body()


async def test_a_head_over_the_limit_is_refused() -> None:
    async with side(EgressLimits(head_bytes=1000)) as (runner, peer):
        peer.sendall(b"GET http://a.test/ HTTP/1.1\r\nX: " + b"y" * 3000)
        with pytest.raises(h11.RemoteProtocolError):
            await runner.request()


async def test_an_idle_runner_has_no_further_request() -> None:
    async with side(EgressLimits(idle_seconds=0.02)) as (runner, _):
        assert await runner.request() is None


async def test_what_follows_the_message_is_kept_for_the_tunnel() -> None:
    async with side() as (runner, peer):
        peer.sendall(b"CONNECT a.test:443 HTTP/1.1\r\nHost: a.test\r\n\r\n\x16early")
        assert await runner.request() is not None
        await runner.event()
        assert runner.trailing == b"\x16early"


@pytest.mark.parametrize("start", [b"", b"GET http://shop.test/ HTTP/1.1\r\nX-Slow: "])
async def test_slow_and_idle_heads_are_cut(start: bytes) -> None:
    limits = EgressLimits(idle_seconds=0.1, head_seconds=0.1)
    async with serving(answering()) as origin, running(to(origin.port), limits) as proxy:
        async with client(proxy.port) as runner:
            runner.writer.write(start)
            async with asyncio.timeout(5):
                assert await runner.ended()
        assert origin.connections == 0

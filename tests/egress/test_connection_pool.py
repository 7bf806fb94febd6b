"""Idle connections to origins: by route, newest first, and only quiet ones."""

import asyncio
import socket
from contextlib import AbstractAsyncContextManager

import h11
from pw_egress.http_side import http_side

from pageworker_sandbox.egress.connection_pool import ConnectionPool
from pageworker_sandbox.egress.http import HttpSide
from pageworker_sandbox.egress.limits import EgressLimits
from pageworker_sandbox.egress.policy import Route
from pageworker_sandbox.egress.target import Target

LIMITS = EgressLimits(pool_connections=2, pool_seconds=0.05)
SHOP, OTHER = (Route(Target(host, 80), None, None) for host in ("shop.test", "other.test"))


def origin() -> AbstractAsyncContextManager[tuple[HttpSide, socket.socket]]:
    """The gateway's side towards an origin, and the origin's socket."""
    return http_side(h11.CLIENT, LIMITS)


async def test_a_connection_is_taken_on_its_own_route_once() -> None:
    async with origin() as (side, _):
        pool = ConnectionPool(LIMITS)
        pool.put(side, SHOP)
        assert pool.take(OTHER) is None
        assert pool.take(SHOP) is side
        assert pool.take(SHOP) is None


async def test_the_newest_is_taken_first_and_the_oldest_closed_first() -> None:
    async with origin() as (first, _), origin() as (second, _), origin() as (third, _):
        pool = ConnectionPool(LIMITS)
        for side in (first, second, third):
            pool.put(side, SHOP)
        await first.stream.gone()
        assert [pool.take(SHOP), pool.take(SHOP), pool.take(SHOP)] == [third, second, None]


async def test_a_connection_on_which_something_arrived_answers_no_request() -> None:
    async with origin() as (side, peer):
        pool = ConnectionPool(LIMITS)
        pool.put(side, SHOP)
        peer.send(b"unasked")
        while side.stream.quiet:  # noqa: ASYNC110 - until the loop has read it
            await asyncio.sleep(0)
        assert pool.take(SHOP) is None
        await side.stream.gone()


async def test_a_connection_is_closed_after_its_time_and_with_the_pool() -> None:
    async with origin() as (timed, _), origin() as (kept, _):
        pool = ConnectionPool(LIMITS)
        pool.put(timed, SHOP)
        async with asyncio.timeout(5):
            await timed.stream.gone()
        pool.put(kept, SHOP)
        pool.close()
        async with asyncio.timeout(5):
            await kept.stream.gone()

"""The supervisor's client: answers find their request, and a lost gateway is told to all that wait."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from pw_egress.processes import gateway

from pageworker_sandbox.egress.client import KEPT_NOTICES, GatewayClient, GatewayLost, GatewayRefused, connect
from pageworker_sandbox.egress.errors import InvalidPolicy
from pageworker_sandbox.egress.messages import (
    TO_GATEWAY,
    TO_SUPERVISOR,
    Detach,
    EgressPolicy,
    GatewayAnswer,
    RefusalNotice,
    Usage,
    UsageRequest,
)
from pageworker_sandbox.wire.channel import Channel


@asynccontextmanager
async def both_ends() -> AsyncIterator[tuple[GatewayClient, Channel]]:
    """A client, and the gateway's end in the hands of the test."""
    ours, theirs = socket.socketpair()
    client, far = connect(ours), Channel(theirs, outgoing=TO_SUPERVISOR, incoming=TO_GATEWAY)

    async def run() -> None:
        with pytest.raises(GatewayLost):
            await client.run()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(run())
        yield client, far
        far.close()


async def test_answers_find_their_requests_in_any_order() -> None:
    async with both_ends() as (client, far), asyncio.TaskGroup() as tasks:
        requests = [tasks.create_task(client.usage(f"r{number}")) for number in range(3)]
        numbers = []
        for _ in requests:
            message, _ = await far.receive()
            assert isinstance(message, UsageRequest)
            numbers.append(message.number)
        for runner, number in reversed(list(enumerate(numbers))):
            await far.send(GatewayAnswer(number=number, usage={f"r{runner}": Usage(requests=runner)}))
        answers = await asyncio.gather(*requests)
        assert [answer.requests for answer in answers] == [0, 1, 2]


async def test_an_answer_that_no_request_waits_for_is_dropped() -> None:
    async with both_ends() as (client, far):
        await far.send(GatewayAnswer(number=999))
        request = asyncio.get_running_loop().create_task(client.ping())
        message, _ = await far.receive()
        assert isinstance(message, UsageRequest)
        await far.send(GatewayAnswer(number=message.number, error="too_many_runners"))
        with pytest.raises(GatewayRefused, match="too_many_runners"):
            await request


async def test_a_lost_gateway_is_told_to_all_that_wait_and_from_then_on() -> None:
    async with both_ends() as (client, far):
        request = asyncio.get_running_loop().create_task(client.ping())
        await far.receive()
        far.close()
        with pytest.raises(GatewayLost, match="has ended"):
            await request
        with pytest.raises(GatewayLost, match="has ended"):
            await client.detach("r1")


async def test_an_answer_without_the_counts_of_the_runner_is_no_bug_of_the_supervisor() -> None:
    async with both_ends() as (client, far):
        request = asyncio.get_running_loop().create_task(client.detach("r1"))
        message, _ = await far.receive()
        assert isinstance(message, Detach)
        await far.send(GatewayAnswer(number=message.number, usage={"r2": Usage()}))
        with pytest.raises(GatewayLost, match="no counts of r1"):
            await request


async def test_a_policy_past_its_limits_is_refused_before_it_is_sent() -> None:
    async with both_ends() as (client, _):
        with pytest.raises(InvalidPolicy, match="connect_seconds"):
            await client.update("r1", EgressPolicy(connect_seconds=0))


async def test_the_oldest_notices_are_dropped_where_no_one_reads() -> None:
    async with both_ends() as (client, far):
        for number in range(KEPT_NOTICES + 5):
            await far.send(RefusalNotice(runner_id="r", reason="rate_limited", host="h", port=1, suppressed=number))
        async with asyncio.TaskGroup() as tasks:
            request = tasks.create_task(client.ping())
            message, _ = await far.receive()
            assert isinstance(message, UsageRequest)
            await far.send(GatewayAnswer(number=message.number))
            await request
        first = await anext(client.notices())
        assert isinstance(first, RefusalNotice)
        assert first.suppressed == 5


async def test_a_killed_gateway_is_noticed() -> None:
    async with gateway() as (supervisor, process):
        await supervisor.ping()
        process.kill()
        await process.wait()
        with pytest.raises(GatewayLost):
            while True:
                await supervisor.ping()

"""Requests for permits, over a channel of their own."""

import asyncio
import socket

from pageworker_sandbox.egress.messages import (
    TO_GATEWAY,
    TO_SUPERVISOR,
    GatewayPermit,
    GatewayPermitEnd,
    GatewayPermitRequest,
)
from pageworker_sandbox.egress.permit_requests import PermitRequests, RequestPermit
from pageworker_sandbox.egress.target import Target
from pageworker_sandbox.wire.channel import Channel

SHOP = Target("shop.test", 80)


async def test_answers_find_their_requests_and_only_counted_ones_have_an_end() -> None:
    ours, theirs = socket.socketpair()
    gateway = Channel(ours, outgoing=TO_SUPERVISOR, incoming=TO_GATEWAY)
    supervisor = Channel(theirs, outgoing=TO_GATEWAY, incoming=TO_SUPERVISOR)
    ended: list[GatewayPermitEnd] = []
    permits = PermitRequests(gateway, ended.append)
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        asking = [tasks.create_task(permits.ask("r1", SHOP, tunnel)) for tunnel in (False, True, False, False)]
        asked = [(await supervisor.receive())[0] for _ in asking]
        assert asked[1] == GatewayPermitRequest(number=2, runner_id="r1", host="shop.test", tunnel=True)
        asking.pop().cancel()
        for answer in (
            GatewayPermit(number=4, counted=True),
            GatewayPermit(number=3),
            GatewayPermit(number=2, counted=True),
            GatewayPermit(number=1, refused=True),
            GatewayPermit(number=99),
        ):
            permits.answered(answer)
    refused, counted, free = (task.result() for task in asking)
    assert refused == RequestPermit(refused=True)
    assert free == RequestPermit()
    for permit in (refused, counted, free):
        permit.end()
    assert counted.counted
    assert ended == [GatewayPermitEnd(number=2, runner_id="r1")]
    supervisor.close()
    assert (await permits.ask("r1", SHOP, False)).refused, "the supervisor is gone"
    gateway.close()

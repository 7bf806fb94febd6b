"""The dialer's end of the channel, with the gateway's end in the hands of the test."""

import asyncio
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address

import pytest

from pageworker_sandbox.dialer.connector import LookUp
from pageworker_sandbox.dialer.messages import (
    FROM_GATEWAY,
    MAX_ADDRESSES,
    TO_GATEWAY,
    Abandon,
    Connect,
    ForgetRunner,
    NotConnected,
    Resolve,
    Resolved,
)
from pageworker_sandbox.dialer.server import DialServer
from pageworker_sandbox.dialer.targets import parse_rules
from pageworker_sandbox.egress.address import Address
from pageworker_sandbox.wire.channel import Channel
from pageworker_sandbox.wire.errors import ProtocolViolation


def many(name: str) -> list[Address]:
    return [ip_address(f"93.184.{number // 256}.{number % 256}") for number in range(1, 300)]


@asynccontextmanager
async def gateways_end(look_up: LookUp = many) -> AsyncIterator[Channel]:
    ours, theirs = socket.socketpair()
    far = Channel(theirs, outgoing=TO_GATEWAY, incoming=FROM_GATEWAY)
    near = Channel(ours, outgoing=FROM_GATEWAY, incoming=TO_GATEWAY)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(DialServer(far, parse_rules((80,), (), ()), look_up).run())
        yield near
        near.close()
    far.close()


async def test_a_name_with_very_many_addresses_is_answered_with_some() -> None:
    async with gateways_end() as channel:
        await channel.send(Resolve(number=1, runner_id="r", name="many.test."))
        answer, _ = await channel.receive()
        assert isinstance(answer, Resolved)
        assert len(answer.addresses) == MAX_ADDRESSES


@pytest.mark.parametrize("address", ["not an address", "1.2.3", "fe80::1%lo"])
async def test_an_address_that_is_none_is_an_answer_and_no_end(address: str) -> None:
    async with gateways_end() as channel:
        await channel.send(Connect(number=1, runner_id="r", address=address, port=80))
        answer, _ = await channel.receive()
        assert isinstance(answer, NotConnected)
        assert answer.error or answer.refused


async def test_an_abandoned_request_is_not_answered_and_a_number_may_be_unknown() -> None:
    free = threading.Event()

    def slow(name: str) -> list[Address]:
        if name == "slow.test.":
            free.wait(5)
        return many(name)

    async with gateways_end(slow) as channel:
        await channel.send(Resolve(number=1, runner_id="r", name="slow.test."))
        await channel.send(Abandon(number=1))
        await channel.send(Abandon(number=99))
        await channel.send(Resolve(number=2, runner_id="r", name="shop.test."))
        answer, _ = await channel.receive()
        free.set()
        assert isinstance(answer, Resolved)
        assert answer.number == 2


async def test_a_runner_that_is_forgotten_can_come_back() -> None:
    async with gateways_end() as channel:
        for number in (1, 2):
            await channel.send(Resolve(number=number, runner_id="r", name="shop.test."))
            await channel.receive()
            await channel.send(ForgetRunner(runner_id="r"))
        await channel.send(ForgetRunner(runner_id="never seen"))


async def test_a_gateway_that_breaks_the_protocol_ends_the_dialer() -> None:
    ours, theirs = socket.socketpair()
    far = Channel(theirs, outgoing=TO_GATEWAY, incoming=FROM_GATEWAY)
    with ours:
        ours.send(b"\xff" * 6)
        with pytest.raises(ExceptionGroup) as caught:
            await DialServer(far, parse_rules((80,), (), ()), many).run()
    assert caught.group_contains(ProtocolViolation)
    far.close()


def test_a_dialer_has_no_parser_of_http() -> None:
    """What a gateway that was taken over sends, it reads as small typed messages only."""
    code = "import sys, pageworker_sandbox.dialer.__main__; print(*{'h11', 'httpx', 'http.client'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []

"""The send queue: everything in order, descriptors closed, and only log lines are ever dropped."""

import asyncio
import os
from typing import Any

import pytest

from pageworker_runner.reporting import send_queue as module
from pageworker_runner.reporting.send_queue import SendQueue
from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.errors import ChannelClosed


class FakeChannel:
    """Takes messages while `open` is set; then it is closed if `lost`."""

    def __init__(self) -> None:
        self.sent: list[m.Message] = []
        self.open = asyncio.Event()
        self.lost = False

    async def send(self, message: m.Message, descriptors: Any) -> None:
        await self.open.wait()
        if self.lost:
            raise ChannelClosed("gone")
        for descriptor in descriptors:
            os.fstat(descriptor)
        self.sent.append(message)


def pong(number: int) -> m.Pong:
    return m.Pong(number=number)


def line(text: str) -> m.LogLine:
    return m.LogLine(attempt_id=None, level="info", message=text)


async def test_messages_leave_in_order_and_their_descriptors_are_closed() -> None:
    untyped: Any = (channel := FakeChannel())
    queue = SendQueue(untyped)
    read, write = os.pipe()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(queue.run())
        queue.put(pong(1))
        queue.put(pong(2), [read, write])
        queue.put(pong(3))
        channel.open.set()
        await queue.until_sent()
        running.cancel()
    assert channel.sent == [pong(1), pong(2), pong(3)]
    for descriptor in (read, write):
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)


async def test_only_log_lines_are_dropped_when_the_supervisor_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING_MESSAGES", 2)
    untyped: Any = (channel := FakeChannel())
    queue = SendQueue(untyped)
    for number in range(3):
        queue.put(line(str(number)))
        queue.put(pong(number))
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(queue.run())
        channel.open.set()
        await queue.until_sent()
        running.cancel()
    assert channel.sent == [line("0"), pong(0), pong(1), pong(2)]


async def test_an_empty_queue_is_sent() -> None:
    untyped: Any = FakeChannel()
    async with asyncio.timeout(1):
        await SendQueue(untyped).until_sent()


async def test_a_lost_channel_ends_it_and_closes_the_descriptor() -> None:
    untyped: Any = (channel := FakeChannel())
    channel.lost = True
    channel.open.set()
    queue = SendQueue(untyped)
    read, write = os.pipe()
    os.close(write)
    queue.put(pong(1), [read])
    with pytest.raises(ChannelClosed):
        await queue.run()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(read)

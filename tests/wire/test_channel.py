"""The channel over a real socket pair: messages, descriptors, hostile peers."""

import asyncio
import os
import resource
import socket
import tempfile

import msgspec
import pytest

from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.channel import Channel
from pageworker_sandbox.wire.errors import ChannelClosed, ProtocolViolation
from pageworker_sandbox.wire.framing import HEADER
from pageworker_sandbox.wire.token_bucket import CpuBudget


def pair() -> tuple[Channel, socket.socket]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    return Channel(ours, m.TO_RUNNER, m.TO_SUPERVISOR), theirs


async def test_messages_and_descriptors_cross_in_order() -> None:
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    runner = Channel(left, m.TO_SUPERVISOR, m.TO_RUNNER)
    supervisor = Channel(right, m.TO_RUNNER, m.TO_SUPERVISOR)
    with tempfile.TemporaryFile() as file:
        file.write(b"evidence")
        file.flush()
        await runner.send(m.Hello(protocol=1))
        await runner.send(m.ArtifactData(attempt_id="a", kind="html", content_type="text/html"), [file.fileno()])
        await runner.send(m.Pong(number=3))
        assert (await supervisor.receive())[0] == m.Hello(protocol=1)
        message, (descriptor,) = await supervisor.receive()
        assert isinstance(message, m.ArtifactData)
        assert os.pread(descriptor, 100, 0) == b"evidence"
        assert not os.get_inheritable(descriptor)
        os.close(descriptor)
        assert (await supervisor.receive())[0] == m.Pong(number=3)
    runner.close()
    with pytest.raises(ChannelClosed):
        await supervisor.receive()
    supervisor.close()


async def test_a_large_message_crosses_while_the_peer_reads_slowly() -> None:
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    runner = Channel(left, m.TO_SUPERVISOR, m.TO_RUNNER)
    supervisor = Channel(right, m.TO_RUNNER, m.TO_SUPERVISOR)
    blob = b"\xc6" + (900_000).to_bytes(4, "big") + b"x" * 900_000
    done = m.Done(attempt_id="a", outcome="succeeded", data=msgspec.Raw(blob))
    async with asyncio.TaskGroup() as tasks:
        for _ in range(4):
            tasks.create_task(runner.send(done))
        got = [await supervisor.receive() for _ in range(4)]
    assert all(isinstance(message, m.Done) and bytes(message.data) == blob for message, _ in got)
    runner.close()
    supervisor.close()


async def test_a_descriptor_that_was_announced_and_not_sent_is_a_violation() -> None:
    channel, theirs = pair()
    body = msgspec.msgpack.encode(m.Listener(port=1))
    theirs.send(HEADER.pack(65, 1, len(body)) + body)
    with pytest.raises(ProtocolViolation, match="not sent"):
        await channel.receive()
    channel.close()
    theirs.close()


async def test_a_flood_of_descriptors_is_a_violation_and_none_leaks() -> None:
    channel, theirs = pair()
    before = len(os.listdir("/proc/self/fd"))
    with tempfile.TemporaryFile() as file:
        socket.send_fds(theirs, [b"\0"], [file.fileno()] * 32)
    with pytest.raises(ProtocolViolation, match="more than 8 descriptors"):
        await channel.receive()
    channel.close()
    theirs.close()
    assert len(os.listdir("/proc/self/fd")) <= before


async def test_a_cancelled_receive_loses_nothing() -> None:
    channel, theirs = pair()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await channel.receive()
    body = msgspec.msgpack.encode(m.Pong(number=9))
    theirs.send(HEADER.pack(67, 0, len(body)) + body)
    assert (await channel.receive())[0] == m.Pong(number=9)
    channel.close()
    theirs.close()


async def test_a_cancelled_send_leaves_the_stream_in_step() -> None:
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    runner = Channel(left, m.TO_SUPERVISOR, m.TO_RUNNER)
    supervisor = Channel(right, m.TO_RUNNER, m.TO_SUPERVISOR)
    blob = b"\xc6" + (900_000).to_bytes(4, "big") + b"x" * 900_000
    done = m.Done(attempt_id="a", outcome="succeeded", data=msgspec.Raw(blob))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            for _ in range(3):
                await runner.send(done)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(runner.send(m.Pong(number=1)))
        received: list[m.Message] = []
        while not received or not isinstance(received[-1], m.Pong):
            received.append((await supervisor.receive())[0])
    assert 1 < len(received) <= 4
    runner.close()
    supervisor.close()


async def test_a_peer_that_never_reads_is_noticed() -> None:
    channel, theirs = pair()
    big = m.Run(
        attempt_id="a",
        job_id="j",
        tenant_id="t",
        profile_id=None,
        module="m",
        version="1.0.0",
        payload=b"x" * 300_000,
        attempt=1,
        timeout_seconds=1,
        trace_id="0" * 32,
    )
    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(80):
                tasks.create_task(channel.send(big))
    assert caught.group_contains(ProtocolViolation, match="does not read")
    channel.close()
    theirs.close()


async def test_closing_wakes_a_waiting_receiver() -> None:
    channel, theirs = pair()
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(expect_closed(channel))
        await asyncio.sleep(0)
        channel.close()
    assert waiting.result()
    theirs.close()


async def expect_closed(channel: Channel) -> bool:
    try:
        await channel.receive()
    except ChannelClosed:
        return True
    return False


async def test_a_peer_that_sends_without_end_does_not_stop_other_tasks() -> None:
    received, turns = await receive_a_flood(None)
    assert received > 5_000
    assert turns, "the whole socket buffer was received in one turn"


async def test_a_peer_over_its_cpu_budget_waits() -> None:
    _, turns = await receive_a_flood(CpuBudget(0.2, 0.0, 0.005))
    assert turns > 1_000


async def receive_a_flood(budget: CpuBudget | None) -> tuple[int, int]:
    """The number of messages in a full socket, and the number of turns that other tasks had meanwhile."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    channel = Channel(ours, m.TO_RUNNER, m.TO_SUPERVISOR, budget)
    theirs.setblocking(False)
    body = msgspec.msgpack.encode(m.Pong(number=1))
    frame = HEADER.pack(67, 0, len(body)) + body
    sent = 0
    try:
        while True:
            sent += theirs.send(frame * 64)
    except BlockingIOError:
        pass
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as tasks:
        other = tasks.create_task(others())
        for _ in range(sent // len(frame)):
            await channel.receive()
        other.cancel()
    channel.close()
    theirs.close()
    return sent // len(frame), turns


async def test_a_descriptor_without_a_free_number_is_not_the_peers_fault() -> None:
    """unix(7): a descriptor that does not fit into the receiver's table is dropped, and only a flag shows it."""
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    runner = Channel(left, m.TO_SUPERVISOR, m.TO_RUNNER)
    supervisor = Channel(right, m.TO_RUNNER, m.TO_SUPERVISOR)
    with tempfile.TemporaryFile() as file:
        await runner.send(m.ArtifactData(attempt_id="a", kind="html", content_type="text/html"), [file.fileno()])
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        lowest = os.dup(0)
        os.close(lowest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
        try:
            with pytest.raises(OSError, match="Too many open files"):
                await supervisor.receive()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    runner.close()
    supervisor.close()

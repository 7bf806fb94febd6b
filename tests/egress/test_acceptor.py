"""Accepting on a listener that a hostile runner still holds."""

import asyncio
import fcntl
import os
import select
import socket
import struct
import threading
import time

import pytest
from pw_egress.client import ask, get
from pw_egress.origin import Handler, Origin, answering, serving
from pw_egress.processes import attach, gateway
from pw_egress.running_proxy import listener, running, to

from pageworker_sandbox.egress.acceptor import Acceptor, adopt
from pageworker_sandbox.egress.errors import InvalidListener
from pageworker_sandbox.egress.limits import EgressLimits


async def test_connections_of_a_runner_are_limited_and_a_closed_one_makes_place() -> None:
    limits = EgressLimits(connections_per_runner=4)
    async with serving(answering()) as origin, running(to(origin.port), limits) as proxy:
        holders = [await asyncio.open_connection("127.0.0.1", proxy.port) for _ in range(4)]
        waiting = asyncio.open_connection("127.0.0.1", proxy.port)
        reader, writer = await waiting
        writer.write(get("http://shop.test/"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await reader.read(1)
        assert proxy.runner_proxy.usage().connections == 4
        holders[0][1].close()
        assert (await reader.read(1000)).startswith(b"HTTP/1.1 200")
        for _, other in [*holders, (reader, writer)]:
            other.close()


async def test_clearing_nonblock_on_the_shared_listener_blocks_no_other_runner() -> None:
    """The runner keeps a copy of its listener, makes it blocking and takes its own connections away."""
    async with serving(answering()) as origin, gateway(f"127.0.0.1:{origin.port}") as (supervisor, _):
        with listener() as hostile, listener() as good:
            await attach(supervisor, "good", good, to(origin.port))
            await attach(supervisor, "hostile", hostile, to(origin.port))
            over = threading.Event()
            thief = threading.Thread(target=_steal, args=(hostile, over))
            thief.start()
            try:
                slowest = 0.0
                for _ in range(100):
                    begun = time.perf_counter()
                    assert (await ask(good.getsockname()[1], get("http://shop.test/"))).status == 200
                    slowest = max(slowest, time.perf_counter() - begun)
                async with asyncio.timeout(5):
                    await supervisor.detach("hostile")
                assert slowest < 1
            finally:
                over.set()
                thief.join()


async def test_a_linger_time_on_the_shared_listener_blocks_no_other_runner() -> None:
    """An accepted connection inherits it, and close(2) then waits for a runner that does not read, also in a loop
    (socket(7))."""
    body = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n" + bytes(1 << 20)
    full = asyncio.Event()

    def flood(origin: Origin) -> Handler:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await origin.head(reader)
            while True:
                writer.write(body)
                try:
                    async with asyncio.timeout(0.5):
                        await writer.drain()
                except TimeoutError:
                    full.set()
                    await asyncio.Event().wait()

        return handle

    async with serving(flood) as large, serving(answering()) as small:
        targets = (f"127.0.0.1:{large.port}", f"127.0.0.1:{small.port}")
        async with gateway(*targets) as (supervisor, _):
            with listener() as hostile, listener() as good, socket.socket() as deaf:
                hostile.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 30))
                await attach(supervisor, "good", good, to(small.port))
                await attach(supervisor, "hostile", hostile, to(large.port))
                deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                deaf.connect(hostile.getsockname())
                deaf.sendall(get("http://shop.test/"))
                async with asyncio.timeout(20):
                    await full.wait()
                async with asyncio.timeout(5):
                    await supervisor.detach("hostile")
                    assert (await ask(good.getsockname()[1], get("http://shop.test/"))).status == 200


def _steal(sock: socket.socket, over: threading.Event) -> None:
    ready = select.poll()
    ready.register(sock, select.POLLIN)
    while not over.is_set():
        sock.listen()
        flags = fcntl.fcntl(sock, fcntl.F_GETFL)
        fcntl.fcntl(sock, fcntl.F_SETFL, flags & ~os.O_NONBLOCK)
        try:
            with socket.create_connection(sock.getsockname(), timeout=0.2):
                if ready.poll(0):
                    fcntl.fcntl(sock, fcntl.F_SETFL, flags | os.O_NONBLOCK)
                    sock.accept()[0].close()
        except OSError:
            continue


@pytest.mark.parametrize("kind", ["file", "socket"])
def test_a_descriptor_that_is_no_listener_is_refused_and_closed(kind: str) -> None:
    descriptor = os.open("/dev/null", os.O_RDONLY) if kind == "file" else socket.socket().detach()
    with pytest.raises(InvalidListener):
        adopt(descriptor)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


async def test_closing_ends_the_thread_and_the_connections_that_wait() -> None:
    with listener() as sock:
        acceptor = Acceptor(adopt(socket.dup(sock.fileno())), EgressLimits())
        with socket.create_connection(sock.getsockname()) as runner:
            while acceptor.accepted.empty():  # noqa: ASYNC110 - the thread accepts
                await asyncio.sleep(0.001)
            await acceptor.close()
            runner.settimeout(5)
            assert runner.recv(1) == b""
    assert not [thread for thread in threading.enumerate() if thread.name == "accept"]

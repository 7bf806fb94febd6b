"""A normal stop: exit code 0, and nothing in the log that an operator would have to check."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, aclosing, suppress

import httpx
import pytest
from pw_daemon import HEADLESS_SHELL, DaemonFolder, DaemonProcess, Producer, place
from pw_daemon.processes import below

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.redis]

STOP_SECONDS = 30.0
CONTROL = b"POST /cancel HTTP/1.1\r\nHost: worker\r\nContent-Length: 100\r\n\r\n{"


@pytest.fixture
async def here() -> AsyncIterator[DaemonFolder]:
    async with place() as found:
        yield found


def complaints(daemon: DaemonProcess) -> list[str]:
    """Lines of the log above level info."""
    written = daemon.log_file.read_text().splitlines()
    return [line[:300] for line in written if '"level":"info"' not in line and '"level":"debug"' not in line]


async def at_work(here: DaemonFolder, daemon: DaemonProcess) -> None:
    """Until it has answered a job, and its runner is idle."""
    async with aclosing(Producer(here.redis.url)) as producer:
        await producer.push(producer.job(f"j-{daemon.pid}", "test.nap", {"seconds": 0}))
        await producer.collect(1, 60)


async def test_connections_of_every_kind_are_no_trouble(here: DaemonFolder) -> None:
    with here.worker(browser=HEADLESS_SHELL) as daemon, ExitStack() as stack:
        await at_work(here, daemon)
        host, _, port = str(daemon.get("/healthz").url.netloc.decode()).rpartition(":")
        stack.enter_context(socket.create_connection((host, int(port))))
        half = stack.enter_context(socket.create_connection((host, int(port))))
        half.sendall(b"GET /stat")
        client = stack.enter_context(httpx.Client(trust_env=False))
        client.get(f"http://{host}:{port}/status")
        asking = stack.enter_context(socket.socket(socket.AF_UNIX))
        asking.connect(str(daemon.data_dir / "control.sock"))
        asking.sendall(CONTROL)
        daemon.signal(signal.SIGTERM)
        assert daemon.terminate(STOP_SECONDS) == 0
    assert complaints(daemon) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_to_every_process_is_no_trouble(here: DaemonFolder, number: signal.Signals) -> None:
    """As systemd sends it to a service, and a terminal to a group."""
    with here.worker(browser=HEADLESS_SHELL) as daemon:
        await at_work(here, daemon)
        for pid in [daemon.pid, *below(daemon.pid)]:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        assert daemon.process is not None
        assert await asyncio.to_thread(daemon.process.wait, STOP_SECONDS) == 0
    # Chromium then ends by itself, and its runner reports that.
    assert [line for line in complaints(daemon) if '"level":"warning"' not in line] == []

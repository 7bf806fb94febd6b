"""A spare runner with a real browser: it reaches nothing, then only what its one tenant may; its loss loses no job."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from pw_daemon import HEADLESS_SHELL, DaemonFolder, DaemonProcess, Producer, place
from pw_daemon.place import write_module
from pw_daemon.processes import below

from pageworker_supervisor.admin.status import RunnerReport

pytestmark = [
    pytest.mark.browser,
    pytest.mark.sandbox,
    pytest.mark.redis,
    pytest.mark.timeout(200),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can enter the network namespace of another user's sandbox"),
]
ASK = """
import ctypes, os, socket, sys
ctypes.CDLL(None).setns(os.open(sys.argv[1], os.O_RDONLY), 0x40000000)
with socket.create_connection(("127.0.0.1", int(sys.argv[2])), 10) as proxy:
    proxy.sendall(b"GET http://shop.example/ HTTP/1.1\\r\\nHost: shop.example\\r\\nConnection: close\\r\\n\\r\\n")
    print(proxy.makefile("rb").readline().split()[1].decode())
"""
"""Asks the egress gateway for a page from within a network namespace, as the browser there would. Prints the status."""


class ShopPage(BaseHTTPRequestHandler):
    """Answers every GET."""

    def do_GET(self) -> None:
        body = b"<h1>Chair</h1>"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing."""


@contextmanager
def shop() -> Iterator[int]:
    """Serve a page; yields the port."""
    server = HTTPServer(("127.0.0.1", 0), ShopPage)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def inside(runner: RunnerReport) -> int:
    """A process in the runner's sandbox."""
    assert runner.pid
    return next(pid for pid, line in below(runner.pid).items() if "pageworker_runner" in line and "bwrap" not in line)


def proxy_port(pid: int) -> int:
    """On which the runner listens for the gateway. Source: proc_net_tcp(5)."""
    for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        address, port = fields[1].split(":")
        if fields[3] == "0A" and socket.inet_ntoa(bytes.fromhex(address)[::-1]) == "127.0.0.1":
            return int(port, 16)
    raise AssertionError("it does not listen")


def answer_inside(runner: RunnerReport) -> str:
    """The status that the gateway answers to a request from within the runner's network."""
    pid = inside(runner)
    command = [sys.executable, "-c", ASK, f"/proc/{pid}/ns/net", str(proxy_port(pid))]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout.strip()


async def spare_of(daemon: DaemonProcess, but: str = "") -> RunnerReport:
    """The spare that is up, and is not the runner of this id."""
    while True:
        status = await asyncio.to_thread(daemon.status)
        for runner in status.runners:
            if runner.tenant_id is None and runner.state == "ready" and runner.runner_id != but:
                return runner
        # No event tells when a spare is up.
        await asyncio.sleep(0.1)


@contextmanager
def worker(here: DaemonFolder, port: int) -> Iterator[DaemonProcess]:
    """With one spare."""
    with here.worker(
        pool={"runners": 2, "pages": 2, "spares": 1},
        browser=HEADLESS_SHELL,
        egress={"hosts": {"shop.example": f"127.0.0.1:{port}"}},
    ) as daemon:
        yield daemon


async def test_a_spare_reaches_nothing_belongs_to_one_tenant_and_loses_no_job(tmp_path: Path) -> None:
    reads = write_module(
        tmp_path,
        "test.reads",
        "await page.goto('http://shop.example/')\nreturn {'title': await page.inner_text('h1')}",
        egress=["shop.example"],
    )
    with shop() as port:
        async with place(reads) as here:
            producer = Producer(here.redis.url)
            async with aclosing(producer.redis), asyncio.timeout(150):
                with worker(here, port) as daemon:
                    spare = await spare_of(daemon)
                    assert answer_inside(spare) == "403", "nothing is reachable before it has a tenant"

                    await producer.push(producer.job("a", "test.reads", {}))
                    await producer.collect(1, 60)
                    first = producer.results["a"]
                    assert (first["data"], first["runner_id"]) == ({"title": "Chair"}, spare.runner_id)
                    assert answer_inside(spare) == "200", "and afterwards what its tenant may reach"

                    second = await spare_of(daemon)
                    producer.tenant = "other"
                    await producer.push(producer.job("b", "test.reads", {}))
                    await producer.collect(2, 60)
                    assert producer.results["b"]["runner_id"] == second.runner_id != spare.runner_id

                    third = await spare_of(daemon)
                    os.kill(inside(third), signal.SIGKILL)
                    producer.tenant = "third"
                    await producer.push(producer.job("c", "test.reads", {}))
                    await producer.collect(3, 60)
                    assert producer.results["c"]["status"] == "succeeded"
                    await spare_of(daemon, but=third.runner_id)
                    await producer.settle()
                    assert set(producer.stream.values()) == {1}

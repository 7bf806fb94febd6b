"""`api.with_worker`: the API starts when the worker is up, comes back after a kill, and stops with the worker."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from pw_servers import RedisServer
from pw_servers.no_tls import NO_TLS
from pw_servers.ports import free_port
from pw_servers.waiting import until

from pageworker_supervisor import api_child
from pageworker_supervisor.api_child import ApiChild
from pageworker_supervisor.telemetry.metrics import Metrics
from pageworker_supervisor.telemetry.metrics.health_metrics import HealthMetrics


class GivenWorker:
    """The part of a worker that the child asks for."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.came_up = False


def status(port: int) -> int:
    """Of `/readyz`; 0: nothing listens."""
    with httpx.Client(trust_env=False, verify=NO_TLS) as client:
        try:
            return client.get(f"http://127.0.0.1:{port}/readyz").status_code
        except httpx.TransportError:
            return 0


async def reached(holds: Callable[[], bool]) -> None:
    await asyncio.to_thread(until, holds, "the API is there", 40, 0.05)


def children() -> list[int]:
    """The processes of the API, whose parent is this one."""
    found = []
    for entry in Path("/proc").iterdir():
        # Other processes end meanwhile.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if entry.name.isdigit() and b"pageworker_supervisor.api.process" in (entry / "cmdline").read_bytes():
                status = (entry / "status").read_text()
                if f"PPid:\t{os.getpid()}\n" in status:
                    assert "NoNewPrivs:\t1\n" in status
                    assert "CapEff:\t0000000000000000\n" in status
                    found.append(int(entry.name))
    return found


def value(health: HealthMetrics, name: str) -> float:
    (family,) = getattr(health, name).collect()
    return float(family.samples[0].value)


async def test_it_lives_as_long_as_the_worker(
    live_redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_child, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(api_child, "FIRST_SECONDS", 0.05)
    worker, health, port = GivenWorker(), Metrics().health, free_port()
    config = tmp_path / "pageworker.toml"
    config.write_text(f'[redis]\nurl = "{live_redis.url}"\n')
    environ = {"PAGEWORKER_API__BIND": f"127.0.0.1:{port}", "OTHER": "x"}
    child = ApiChild(worker, health, config, environ)
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(child.run())
        assert (status(port), children()) == (0, [])
        worker.came_up = True
        await reached(lambda: status(port) == 200)
        (first,) = children()
        assert value(health, "api_up") == 1
        os.kill(first, signal.SIGKILL)
        await reached(lambda: value(health, "api_ends") == 1)
        await reached(lambda: status(port) == 200)
        assert children() != [first]
        worker.stop.set()
        await running
    assert status(port) == 0
    assert children() == []
    assert value(health, "api_up") == 0

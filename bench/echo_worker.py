"""A worker whose runners are inside its own process: they sleep, and answer. What it costs is the supervisor's own.

The worker is that of the chaos tests, with a Redis of its own.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import redis.asyncio as redis

from bench.fixtures import ended_with_block, redis_server
from bench.queue_client import opened_client
from pageworker_demo.loopback_server import free_port
from pageworker_demo.run import temporary_folder
from pageworker_demo.toml import toml_text
from pageworker_demo.workspace import publish

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests"
MODULE = "chaos.echo"
START_SECONDS = 120.0
RESULT_SECONDS = 300.0
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class EchoWorker:
    """`results`: a subscription to the results of one tenant. Both clients are those of the worker's Redis."""

    client: redis.Redis
    results: Any
    pid: int

    async def cpu_seconds(self) -> float:
        """Of the worker's process and of Redis' main thread, so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        used = await self.client.info("cpu")
        redis_seconds = used["used_cpu_user_main_thread"] + used["used_cpu_sys_main_thread"]
        return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS + float(redis_seconds)

    async def commands(self) -> int:
        """How many commands Redis has executed, those of functions included."""
        return sum(row["calls"] for row in (await self.client.info("commandstats")).values())

    async def push(self, tenant: str, numbers: range, milliseconds: int = 0) -> None:
        """Push jobs, each of which holds its page for `milliseconds`."""
        payload = {"do": "echo", "ms": milliseconds}
        jobs = [
            json.dumps({"job_id": f"j{number}", "tenant_id": tenant, "endpoint_module": MODULE, "payload": payload})
            for number in numbers
        ]
        await self.client.rpush("pw:inbox", *jobs)

    async def await_results(self, count: int) -> None:
        """Wait for `count` results of the tenant. Raises TimeoutError."""
        async with asyncio.timeout(RESULT_SECONDS):
            while count:
                message = await self.results.get_message(ignore_subscribe_messages=True, timeout=RESULT_SECONDS)
                count -= message is not None


@asynccontextmanager
async def echo_worker(tenant: str, more: Mapping[str, Mapping[str, Any]]) -> AsyncIterator[EchoWorker]:
    """One that takes jobs. `tenant`: whose results are looked at. `more`: settings, by section."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(temporary_folder()))
        url, _ = stack.enter_context(redis_server())
        client = await stack.enter_async_context(opened_client(url))
        # It would be rewritten in the middle of a measurement.
        await client.config_set("appendonly", "no")
        port = free_port()
        file = await _configured(folder, url, port, more)
        pid = stack.enter_context(_process(file))
        await _until_ready(port)
        results = client.pubsub()
        await results.subscribe(f"pw:results:{tenant}")
        stack.push_async_callback(results.aclose)
        yield EchoWorker(client, results, pid)


@contextmanager
def _process(file: Path) -> Iterator[int]:
    """The worker's process id."""
    process = subprocess.Popen(
        [sys.executable, "-m", "chaos.worker", str(file)],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    with ended_with_block(process) as pid:
        yield pid


async def _configured(folder: Path, url: str, port: int, more: Mapping[str, Mapping[str, Any]]) -> Path:
    for name in ("data", "profiles"):
        (folder / name).mkdir()
    key, _ = await publish([TESTS / "chaos" / "modules" / "chaos_echo"], folder / "registry")
    settings: dict[str, Mapping[str, Any]] = {
        "redis": {"url": url},
        "worker": {"id": "bench", "data_dir": str(folder / "data")},
        "http": {"bind": f"127.0.0.1:{port}"},
        "modules": {"registry": str(folder / "registry"), "trusted_keys": [key]},
        "tenants": {"*": {}},
        "log": {"level": "error"},
        **more,
    }
    config = folder / "pageworker.toml"
    config.write_text(toml_text(settings))
    chaos = {
        "config_file": str(config),
        "profiles": str(folder / "profiles"),
        "routes": {},
        "runners": "echo",
        "lease_ms": 45_000,
        "promise_ms": 60_000,
        "silent_seconds": 60.0,
    }
    file = folder / "worker.json"
    file.write_text(json.dumps(chaos))
    return file


async def _until_ready(port: int) -> None:
    late = time.monotonic() + START_SECONDS
    async with httpx.AsyncClient(trust_env=False) as client:
        while True:
            try:
                if (await client.get(f"http://127.0.0.1:{port}/readyz")).is_success:
                    return
            except httpx.TransportError:
                pass
            if time.monotonic() > late:
                raise TimeoutError(f"the worker is not ready after {START_SECONDS:g} s")
            await asyncio.sleep(0.1)

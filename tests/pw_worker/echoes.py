"""A worker with echo runners on a real Redis, its jobs and their results."""

import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

from chaos.echo import HOST, EchoComponents
from pw_queue import plain_client, ticket
from pw_servers import RedisServer

from pageworker_demo.toml import toml_text
from pageworker_supervisor.central.document import texts_of_values
from pageworker_supervisor.components import HostEnvironment, Timeouts
from pageworker_supervisor.config.data_dir import data_dir_of
from pageworker_supervisor.config.load import read_local
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.options import LEASE_MS
from pageworker_supervisor.queue.producer import NewJob
from pageworker_supervisor.redis_client import RedisClient, Router
from pageworker_supervisor.registry import Registry
from pageworker_supervisor.telemetry.metrics import Metrics
from pageworker_supervisor.worker import Worker

PAGES = 2
CHECKS_SECONDS = 0.2
STOP_SECONDS = 12.0
"""The drain's 0.2, five to hand back, the callbacks' grace and then some: a worker that cannot end must not hold the
tests."""


def nap(
    job_id: str,
    milliseconds: int,
    do: str = "echo",
    module: str = "test.nap",
    fields: Mapping[str, Any] | None = None,
    **more: Any,
) -> NewJob:
    """A job that takes this time, with these `fields`. `do`: what the echo does at its end."""
    payload = {"do": do, "ms": milliseconds, **more}
    job = {"job_id": job_id, "tenant_id": "acme", "endpoint_module": module, "payload": payload, **(fields or {})}
    return ticket(job_id, body=json.dumps(job).encode())


class Echoes:
    """A worker with one runner of two pages, and the results of its jobs."""

    def __init__(
        self, client: Any, worker: Worker, made: list[EchoComponents], sites: list[HostEnvironment], config: Path
    ) -> None:
        """`sites`: that of the test, then that of each `made`."""
        self.worker = worker
        self.config = config
        """Its file."""
        self._sites = sites
        self.client = client
        self.queue = QueueClient(Router(client, client))
        self._made = made
        self._last: bytes | str = "0-0"
        self.results: dict[str, dict[str, Any]] = {}

    @property
    def started(self) -> bool:
        """Whether there are any."""
        return bool(self._made)

    @property
    def components(self) -> EchoComponents:
        """Those of the worker, once it is ready."""
        return self._made[-1]

    def metrics(self) -> bytes:
        """As they are scraped."""
        return self._sites[0].metrics.expose()

    @property
    def settings(self) -> Settings:
        """Those that count now."""
        return self._sites[-1].live.value

    async def push(self, *tickets: NewJob) -> None:
        """Into the queue."""
        await self.queue.producer.enqueue(tickets)

    async def answered(self, count: int, seconds: float = 10) -> None:
        """Wait until `count` jobs have a result. Raises TimeoutError."""
        until = time.monotonic() + seconds
        while len(self.results) < count:
            if time.monotonic() > until:
                raise TimeoutError(f"{len(self.results)} of {count} are answered: {self.worker.status()}")
            reply = await self.client.xread({"pw:{0}:results": self._last}, block=200)
            for self._last, fields in reply[0][1] if reply else ():
                result = json.loads(fields[b"result"])
                assert result["job_id"] not in self.results, "one result each"
                self.results[result["job_id"]] = result

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until this holds."""
        async with asyncio.timeout(10):
            while not holds():
                await self.turn()

    async def turn(self) -> None:
        """The pause between two polls: the worker does not report its inner state."""
        await asyncio.sleep(0.005)


async def change(worker: Echoes, values: Mapping[str, Any]) -> None:
    """Make these the central values, and wait until the worker runs them."""
    store = worker.queue.config
    async with asyncio.timeout(30):
        while not (await store.state()).workers:
            await worker.turn()
    base = (await store.state()).version
    name = f"change-{base}"
    assert await store.propose(name, base, texts_of_values(values), "test", "to see it") == "open"
    await store.wait_outcome(name, 8)
    outcome = await store.outcome(name)
    assert outcome is not None
    assert outcome.state == "committed", outcome
    await worker.until(lambda: worker.worker.status().config.version == base + 1)


def taken(worker: Echoes) -> int:
    """Pages that run a job."""
    return sum(len(runner.running) for runner in worker.components.fleet.runners.values())


@asynccontextmanager
async def echoes(
    url: str,
    server: RedisServer,
    registry_key: tuple[Path, str],
    lease_ms: int = LEASE_MS,
    redis: Mapping[str, Any] | None = None,
    client: Any = None,
    until_ready: bool = True,
    worker_id: str = "w1",
    more: Mapping[str, Mapping[str, Any]] | None = None,
) -> AsyncIterator[Echoes]:
    """One that runs for the block and reaches Redis at `url`, with these more settings of `redis`, and `more` of other
    sections. `client`: the test's own, where the server's default user is not enough."""
    registry, key = registry_key
    made: list[EchoComponents] = []
    with tempfile.TemporaryDirectory(prefix="pw-echo-", ignore_cleanup_errors=True) as folder:
        here = Path(folder)
        config = here / "pageworker.toml"
        settings: dict[str, Any] = {
            "redis": {"url": url, **(redis or {})},
            "worker": {"id": worker_id, "data_dir": str(here), "drain_seconds": 0.2},
            "http": {"bind": "127.0.0.1:0"},
            "modules": {"registry": str(registry), "trusted_keys": [key]},
            "pool": {
                "runners": 1,
                "pages": PAGES,
                "idle_seconds": 60,
                "residency_seconds": 0.05,
                "kill_grace_seconds": 0.5,
            },
            "tenants": {"*": {}},
        }
        for section, values in (more or {}).items():
            settings[section] = {**settings.get(section, {}), **values}
        config.write_text(toml_text(settings))
        local = read_local(config, {})
        loaded = local.settings()

        def build(
            site: HostEnvironment, name: str, redis_client: RedisClient, queue: QueueClient, registry_: Registry
        ) -> EchoComponents:
            sites.append(site)
            made.append(EchoComponents(site, name, redis_client, queue, registry_))
            return made[-1]

        timeouts = Timeouts(lease_ms=lease_ms, self_checks_seconds=CHECKS_SECONDS)
        site = HostEnvironment(loaded, data_dir_of(loaded), HOST, Metrics(), timeouts, local=local)
        sites = [site]
        worker = Worker(site, build)
        async with aclosing(client or plain_client(server.port)) as own, asyncio.TaskGroup() as tasks:
            running = tasks.create_task(worker.run())
            opened = Echoes(own, worker, made, sites, config)
            await opened.until(lambda: worker.ready()[0] or not until_ready)
            try:
                yield opened
            finally:
                worker.stop.set()
                _, late = await asyncio.wait([running], timeout=STOP_SECONDS)
                running.cancel()
                assert not late, "it does not end"

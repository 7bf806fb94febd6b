"""Three worker processes with echo runners on one Redis, and the changes that are made to them."""

import asyncio
import os
import secrets
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from chaos.worker_config import ChaosWorkerConfig
from pw_servers import RedisServer

from pageworker_demo.toml import toml_text
from pageworker_supervisor.central.document import texts_of_values
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.config_store import ConfigOutcome
from pageworker_supervisor.queue.options import LEASE_MS, OUTBOX_LEASE_MS

SETTLED_SECONDS = 60.0
POLL_SECONDS = 0.005
FIRST_UID = 2_060_000_000 + os.getpid() % 20_000 * 1000
UIDS = {"w1": 500, "w2": 200, "w3": 20}
"""User ids per worker. With 20, `w3` refuses more than 12 runners: a mistake that only its own file makes one."""


class ConfiguredWorkers:
    """The processes by worker id, and one client of their queue."""

    def __init__(self, queue: QueueClient, processes: dict[str, asyncio.subprocess.Process]) -> None:
        self.queue = queue
        self.store = queue.config
        self._processes = processes

    def signal(self, worker: str, number: signal.Signals) -> None:
        """Send a signal to one worker."""
        self._processes[worker].send_signal(number)

    async def versions(self) -> dict[str, int]:
        """The version that each worker runs, by worker id."""
        return {name.partition(".")[0]: one.version for name, one in (await self.store.state()).workers.items()}

    async def all_run(self, version: int, workers: int = len(UIDS)) -> None:
        """Wait until `workers` workers run this version."""
        async with asyncio.timeout(SETTLED_SECONDS):
            while True:
                if list((await self.versions()).values()).count(version) >= workers:
                    return
                await asyncio.sleep(POLL_SECONDS)

    async def all_agree(self) -> int:
        """Wait until all run the version that counts and the hash shows it. Returns the version."""
        async with asyncio.timeout(SETTLED_SECONDS):
            while True:
                state = await self.store.state()
                if not state.edited and {one.version for one in state.workers.values()} == {state.version}:
                    return state.version
                await asyncio.sleep(POLL_SECONDS)

    async def change(self, values: Mapping[str, Any], wait_for: int = len(UIDS)) -> tuple[ConfigOutcome, float]:
        """Propose these values. Returns the outcome, and the seconds until `wait_for` workers run the new version
        or the change is refused."""
        began, name = time.monotonic(), secrets.token_hex(8)
        async with asyncio.timeout(SETTLED_SECONDS):
            while True:
                base = (await self.store.state()).version
                state = await self.store.propose(name, base, texts_of_values(values), "test", "under load")
                if state in ("open", "decided"):
                    break
                await asyncio.sleep(POLL_SECONDS)
            while (outcome := await self.store.outcome(name)) is None:
                await self.store.wait_outcome(name, 0.5)
        if outcome.state == "committed":
            await self.all_run(outcome.version, wait_for)
        return outcome, time.monotonic() - began


@asynccontextmanager
async def configured_workers(
    server: RedisServer, queue: QueueClient, folder: Path, registry_key: tuple[Path, str]
) -> AsyncIterator[ConfiguredWorkers]:
    """Started, and all on the version that counts."""
    processes = {name: await _started(server, folder, name, registry_key) for name in UIDS}
    try:
        workers = ConfiguredWorkers(queue, processes)
        await workers.all_run((await workers.store.state()).version)
        yield workers
    finally:
        for process in processes.values():
            process.send_signal(signal.SIGCONT)
            process.kill()
            await process.wait()


async def _started(
    server: RedisServer, folder: Path, name: str, registry_key: tuple[Path, str]
) -> asyncio.subprocess.Process:
    registry, key = registry_key
    home = folder / name
    home.mkdir(mode=0o711)
    settings: dict[str, Any] = {
        "redis": {"url": server.url},
        "worker": {"id": name, "data_dir": str(home), "drain_seconds": 1},
        "http": {"bind": "127.0.0.1:0"},
        "modules": {"registry": str(registry), "trusted_keys": [key]},
        "sandbox": {"first_uid": FIRST_UID + 500 * list(UIDS).index(name), "uids": UIDS[name]},
        "pool": {"runners": 2, "pages": 2, "residency_seconds": 0.05},
        "tenants": {"*": {}},
    }
    file = folder / f"{name}.toml"
    file.write_text(toml_text(settings))
    config = ChaosWorkerConfig(
        config_file=str(file),
        profiles=str(folder),
        routes={},
        runners="echo",
        lease_ms=LEASE_MS,
        promise_ms=OUTBOX_LEASE_MS,
        silent_seconds=30.0,
    )
    (home / "chaos.json").write_bytes(msgspec.json.encode(config))
    with (folder / f"{name}.log").open("ab") as log:
        return await asyncio.create_subprocess_exec(
            *("setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "chaos.worker", str(home / "chaos.json")),
            stdin=asyncio.subprocess.PIPE,
            stdout=log,
            stderr=log,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        )

"""The workers of a run: processes that can be killed, stopped, sent a command and started again."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from pw_servers import RespProxy, resp_proxy

from chaos.deployments import Deployment
from chaos.receiver import SECRET
from chaos.runner_kinds import RunnerKind
from chaos.work import DOMAINS, FLEET, MODULES, TENANTS
from chaos.worker_config import ChaosWorkerConfig, WorkerCommand
from pageworker_demo.toml import toml_text
from pageworker_supervisor.admin.control_client import WorkerClient
from pageworker_supervisor.admin.control_socket import CONTROL_SOCKET
from pageworker_supervisor.admin.errors import ControlError

PROMISE_MS = 15_000
UIDS = 500
FIRST_UID = 2_030_000_000 + os.getpid() % 20_000 * 10 * UIDS
"""Workers of one host must not share the users of their runners, nor must two runs. `uids` finds orphans by them."""
SILENT_SECONDS = 4.0
LISTEN_SECONDS = 60.0
"""Longest start on a busy host."""
POLL_SECONDS = 0.05


def uids(workers: int) -> range:
    """The users that runners and gateways of this many workers have."""
    return range(FIRST_UID, FIRST_UID + workers * UIDS)


@dataclass(frozen=True)
class WorkerBuild:
    """The interpreter of a worker, and the folder `tests` of its version."""

    python: Path
    tests: Path


THIS_BUILD = WorkerBuild(Path(sys.executable), Path(__file__).parents[1])


class PooledWorker:
    """One worker. `proxies`: its own proxy to each data node of Redis, by the node's port."""

    def __init__(self, folder: Path, number: int, proxies: dict[int, RespProxy], runner_kind: RunnerKind) -> None:
        self.name = f"w{number}"
        self.runner_kind = runner_kind
        self.proxies = proxies
        self.build = THIS_BUILD
        """The next start uses it."""
        self.ahead_seconds = 0.0
        self.lives = 0
        self.up = asyncio.Event()
        """Set while the worker runs and no fault kills or stops it: one such fault at a time."""
        self._root = folder
        self._home = folder / self.name
        self._first_uid = FIRST_UID + UIDS * number
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, *, elsewhere: bool = False) -> None:
        """Start the worker. `elsewhere`: with a new data folder, as on another host."""
        self.lives += 1
        if elsewhere:
            self._home = self._root / f"{self.name}-{self.lives}"
        self._home.mkdir(exist_ok=True, mode=0o711)
        with suppress(FileExistsError):
            (self._home / "profiles").symlink_to(self._root / "profiles")
        config = self._root / f"{self._home.name}.toml"
        chaos_config = ChaosWorkerConfig(
            config_file=str(config),
            profiles=str(self._root / "profiles"),
            routes={port: proxy.port for port, proxy in self.proxies.items()},
            runners=self.runner_kind.runners,
            lease_ms=self.runner_kind.lease_ms,
            promise_ms=PROMISE_MS,
            silent_seconds=SILENT_SECONDS,
            ahead_seconds=self.ahead_seconds,
        )
        common: dict[str, Any] = msgspec.json.decode((self._root / "common.json").read_bytes())
        own = {
            "worker": {"id": self._home.name, "data_dir": str(self._home), "drain_seconds": 10},
            "sandbox": {"first_uid": self._first_uid, "uids": UIDS},
        }
        config.write_text(toml_text({**common, **own}))
        file = self._home / "chaos.json"
        file.write_bytes(msgspec.json.encode(chaos_config))
        with (self._root / f"{self.name}.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *("setpriv", "--pdeathsig", "KILL", str(self.build.python), "-m", "chaos.worker", str(file)),
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONPATH": str(self.build.tests)},
            )
        self.up.set()

    @property
    def pid(self) -> int:
        """The process id. The worker was started before."""
        assert self._process is not None
        return self._process.pid

    @property
    def dead(self) -> bool:
        """Whether its process has ended."""
        return self._process is not None and self._process.returncode is not None

    def log_tail(self) -> str:
        """The last lines of its log that are no JSON: a traceback, if there is one."""
        lines = (self._root / f"{self.name}.log").read_text(errors="replace").splitlines()
        return "\n".join([line for line in lines if not line.startswith("{")][-40:])

    def send_command(self, command: WorkerCommand) -> None:
        """Write a command to its stdin."""
        if self._process is not None and self._process.stdin is not None and not self.dead:
            self._process.stdin.write(msgspec.json.encode(command) + b"\n")

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if the process runs."""
        if self._process is not None and not self.dead:
            self._process.send_signal(number)

    async def wait_until_listening(self) -> None:
        """Wait until the worker answers on its control socket: it handles signals and has its data folder then."""
        until = time.monotonic() + LISTEN_SECONDS
        while not self.dead and time.monotonic() < until:
            try:
                reader, writer = await asyncio.open_unix_connection(self._home / CONTROL_SOCKET)
            except OSError:
                # The file may be left from the last start, or not exist yet. There is no event to wait for.
                await asyncio.sleep(POLL_SECONDS)
                continue
            with suppress(OSError, TimeoutError):
                writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                async with asyncio.timeout_at(asyncio.get_running_loop().time() + until - time.monotonic()):
                    await reader.read(1)
            writer.close()
            return

    async def has_started(self) -> bool:
        """Wait until the worker has built its components. False: it has not, e.g. because Redis is away."""
        client = WorkerClient(self._home, timeout_seconds=2)
        until = time.monotonic() + LISTEN_SECONDS
        while not self.dead and time.monotonic() < until:
            with suppress(ControlError):
                if (await asyncio.to_thread(client.status)).state not in ("starting", "stopped"):
                    return True
            await asyncio.sleep(POLL_SECONDS)
        return False

    async def end(self, number: signal.Signals) -> int:
        """Send SIGKILL or SIGTERM and wait for the end. Returns the exit code."""
        if number is signal.SIGTERM:
            await self.wait_until_listening()
        self.send(number)
        if self._process is None:
            return 0
        return await self._process.wait()


@asynccontextmanager
async def running_workers(
    deployment: Deployment,
    folder: Path,
    count: int,
    public_key: str,
    runner_kind: RunnerKind,
    build: WorkerBuild = THIS_BUILD,
) -> AsyncIterator[list[PooledWorker]]:
    """Start `count` workers. They are killed when the block ends."""
    folder.chmod(0o711)
    (folder / "profiles").mkdir(mode=0o711)
    secret = folder / "callback.secret"
    secret.write_bytes(SECRET)
    own = {"callback_allow": ["http://127.0.0.1:*/*"], "callback_secret_file": str(secret)}
    common = {
        "redis": {**deployment.worker_settings, "shards": deployment.shards},
        "http": {"bind": "127.0.0.1:0"},
        "modules": {"registry": str(folder / "registry"), "trusted_keys": [public_key], "refresh_seconds": 3600},
        **runner_kind.settings,
        "callbacks": {"timeout_seconds": 2},
        "log": {"level": "info"},
        "tenants": {name: {**limits, **own} for name, limits in TENANTS.items()},
        "domains": {**DOMAINS, "*": {}},
        "limits": {"fleet": FLEET, "modules": MODULES},
    }
    (folder / "common.json").write_bytes(msgspec.json.encode(common))
    workers: list[PooledWorker] = []
    async with AsyncExitStack() as stack:
        for number in range(count):
            proxies = {node.port: await stack.enter_async_context(resp_proxy(node)) for node in deployment.nodes}
            workers.append(PooledWorker(folder, number, proxies, runner_kind))
            workers[-1].build = build
        try:
            async with asyncio.TaskGroup() as tasks:
                for worker in workers:
                    tasks.create_task(worker.start())
            yield workers
        finally:
            for worker in workers:
                worker.send(signal.SIGCONT)
                await worker.end(signal.SIGKILL)

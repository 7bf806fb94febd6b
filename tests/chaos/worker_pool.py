"""The workers of a run: processes that can be killed, stopped, told something and started again."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
from pw_servers import RespProxy, resp_proxy

from chaos.deployments import Ground
from chaos.receiver import SECRET
from chaos.runner_kinds import Cast
from chaos.work import DOMAINS, TENANTS
from chaos.worker_config import Orders, Word
from pageworker_demo.toml import toml_text
from pageworker_supervisor.admin.server import CONTROL_SOCKET

PROMISE_MS = 15_000
UIDS = 500
FIRST_UID = 2_030_000_000 + os.getpid() % 20_000 * 10 * UIDS
"""Workers of one host must not share the users of their runners, nor must two runs. Known here, to look for orphans."""
SILENT_SECONDS = 4.0
DEAF_SECONDS = 60.0
"""For starting, on a busy host."""
LOOK_SECONDS = 0.05


def uids(members: int) -> range:
    """The users that runners and gateways of so many workers have."""
    return range(FIRST_UID, FIRST_UID + members * UIDS)


class Member:
    """One worker. `wires` are its own ways to each data node of Redis, by the node's port."""

    def __init__(self, folder: Path, number: int, wires: dict[int, RespProxy], cast: Cast) -> None:
        self.name = f"w{number}"
        self.cast = cast
        self.wires = wires
        self.ahead_seconds = 0.0
        self.lives = 0
        self.up = asyncio.Event()
        """Set while it is started and not being killed or stopped: one such fault at a time."""
        self._root = folder
        self._home = folder / self.name
        self._first_uid = FIRST_UID + UIDS * number
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, *, elsewhere: bool = False) -> None:
        """Start it; `elsewhere`: as another host's, that knows nothing of the life before."""
        self.lives += 1
        if elsewhere:
            self._home = self._root / f"{self.name}-{self.lives}"
        self._home.mkdir(exist_ok=True, mode=0o711)
        with suppress(FileExistsError):
            (self._home / "profiles").symlink_to(self._root / "profiles")
        config = self._root / f"{self._home.name}.toml"
        orders = Orders(
            config=str(config),
            profiles=str(self._root / "profiles"),
            routes={port: wire.port for port, wire in self.wires.items()},
            runners=self.cast.runners,
            lease_ms=self.cast.lease_ms,
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
        file = self._home / "orders.json"
        file.write_bytes(msgspec.json.encode(orders))
        with (self._root / f"{self.name}.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *("setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "chaos.worker", str(file)),
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
            )
        self.up.set()

    @property
    def pid(self) -> int:
        """Of its process, once it was started."""
        assert self._process is not None
        return self._process.pid

    @property
    def dead(self) -> bool:
        """It ended, and nobody here has killed it."""
        return self._process is not None and self._process.returncode is not None

    def last_words(self) -> str:
        """The end of its log that is no log lines: a traceback, where there is one."""
        lines = (self._root / f"{self.name}.log").read_text(errors="replace").splitlines()
        return "\n".join([line for line in lines if not line.startswith("{")][-40:])

    def tell(self, word: Word) -> None:
        """A word on its stdin."""
        if self._process is not None and self._process.stdin is not None and not self.dead:
            self._process.stdin.write(msgspec.json.encode(word) + b"\n")

    def send(self, number: signal.Signals) -> None:
        """Send it."""
        if self._process is not None and not self.dead:
            self._process.send_signal(number)

    async def settled(self) -> None:
        """Until it listens to signals: from then on it has a control socket."""
        until = time.monotonic() + DEAF_SECONDS
        while not self.dead and time.monotonic() < until:
            try:
                _, writer = await asyncio.open_unix_connection(self._home / CONTROL_SOCKET)
            except OSError:
                # Its file may be of the life before, or nobody's yet: no event tells when it is its own.
                await asyncio.sleep(LOOK_SECONDS)
            else:
                writer.close()
                return

    async def end(self, number: signal.Signals) -> int:
        """Send SIGKILL or SIGTERM, and wait. Returns the exit code."""
        if number is signal.SIGTERM:
            await self.settled()
        self.send(number)
        if self._process is None:
            return 0
        return await self._process.wait()


@asynccontextmanager
async def crew(ground: Ground, folder: Path, count: int, public_key: str, cast: Cast) -> AsyncIterator[list[Member]]:
    """So many workers, killed at the end of the block."""
    folder.chmod(0o711)
    (folder / "profiles").mkdir(mode=0o711)
    secret = folder / "callback.secret"
    secret.write_bytes(SECRET)
    own = {"callback_allow": ["http://127.0.0.1:*/*"], "callback_secret_file": str(secret)}
    common = {
        "redis": {**ground.worker_settings, "shards": ground.shards},
        "http": {"bind": "127.0.0.1:0"},
        "modules": {"registry": str(folder / "registry"), "trusted_keys": [public_key], "refresh_seconds": 3600},
        **cast.settings,
        "callbacks": {"timeout_seconds": 2},
        "log": {"level": "info"},
        "tenants": {name: {**limits, **own} for name, limits in TENANTS.items()},
        "domains": {**DOMAINS, "*": {}},
    }
    (folder / "common.json").write_bytes(msgspec.json.encode(common))
    members: list[Member] = []
    async with AsyncExitStack() as stack:
        for number in range(count):
            wires = {node.port: await stack.enter_async_context(resp_proxy(node)) for node in ground.nodes}
            members.append(Member(folder, number, wires, cast))
        try:
            async with asyncio.TaskGroup() as tasks:
                for member in members:
                    tasks.create_task(member.start())
            yield members
        finally:
            for member in members:
                member.send(signal.SIGCONT)
                await member.end(signal.SIGKILL)

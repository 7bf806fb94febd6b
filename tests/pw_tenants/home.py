"""A worker with its tenants, a receiver of callbacks and a mailbox."""

import asyncio
import contextlib
import itertools
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager, AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pw_receiver
from pw_daemon import HEADLESS_SHELL, DaemonFolder, DaemonProcess, place

from pageworker_supervisor.cli.connect import open_queue
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.views import JobView
from pageworker_supervisor.redis_client import RedisClient
from pw_tenants.mailbox import Mailbox
from pw_tenants.modules import write_modules
from pw_tenants.tenant import SECONDS, Tenant

LOOK_SECONDS = 0.02
A, B, C = "team-a", "team-b", "team-c"
SECRETS = {name: f"callback secret of {name}".encode() for name in (A, B, C)}


@dataclass(frozen=True)
class Home:
    """What a test has at hand."""

    daemon: DaemonProcess
    redis_client: RedisClient
    queue: QueueClient
    mailbox: Mailbox
    receiver: pw_receiver.Receiver
    tenants: dict[str, Tenant]
    place: DaemonFolder
    settings: Mapping[str, Mapping[str, Any]]
    """Of the worker, beside those of the place."""
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    @property
    def a(self) -> Tenant:
        """The tenant that attacks."""
        return self.tenants[A]

    @property
    def b(self) -> Tenant:
        """The tenant that must not be affected."""
        return self.tenants[B]

    @property
    def c(self) -> Tenant:
        """A third tenant."""
        return self.tenants[C]

    def worker(self, name: str, **settings: Mapping[str, Any]) -> AbstractContextManager[DaemonProcess]:
        """One more worker with the same settings, but for these sections."""
        return self.place.worker(name, **{**self.settings, **settings})

    def stranger(self, name: str = "not-configured") -> Tenant:
        """A tenant that is not configured."""
        return Tenant(name, self.redis_client, self.mailbox)

    def fresh(self, name: str) -> str:
        """A job id that no other test has used."""
        return f"{name}-{next(self._numbers)}"

    def hook(self, tenant: Tenant) -> str:
        """The one URL that this tenant's callbacks may go to, and no other's."""
        return self.receiver.url(f"/ok/{tenant.name}")

    def posts(self, tenant: Tenant, job_id: str) -> list[pw_receiver.Received]:
        """Callbacks of this id that have come to the tenant's URL so far, whichever tenant's the id was."""
        return [post for post in self.receiver.at(f"/ok/{tenant.name}") if post.job_id == job_id]

    async def called(self, tenant: Tenant, job_id: str, count: int = 1) -> list[pw_receiver.Received]:
        """The same, once there are `count` of them."""
        async with asyncio.timeout(SECONDS), self.receiver.arrived:
            await self.receiver.arrived.wait_for(lambda: len(self.posts(tenant, job_id)) >= count)
        return self.posts(tenant, job_id)

    async def working(self, *refs: JobRef) -> None:
        """Until all of these jobs are at work on the worker."""
        async with asyncio.timeout(SECONDS):
            while not set(refs) <= {job.ref for job in (await asyncio.to_thread(self.daemon.status)).jobs}:
                await self.turn()

    async def turn(self) -> None:
        """The pause between two polls: the worker does not report its inner state."""
        await asyncio.sleep(LOOK_SECONDS)

    async def read_again(self, *texts: str) -> None:
        """Let the worker's intake read these as it reads what it had taken when its connection broke."""
        (worker,) = await self.redis_client.send("ZRANGE", "{pw:inbox}:workers", 0, -1, key="pw:inbox")
        mine = f"{{pw:inbox}}:processing:{worker.decode()}"
        await self.redis_client.send("RPUSH", mine, *texts, key="pw:inbox")
        for line in (await self.redis_client.send("CLIENT", "LIST", key="pw")).decode().splitlines():
            if "cmd=blmove" in line:
                await self.redis_client.send("CLIENT", "KILL", "ID", line.split()[0].removeprefix("id="), key="pw")
        async with asyncio.timeout(SECONDS):
            while await self.redis_client.send("EXISTS", mine, key="pw:inbox"):
                await self.turn()

    async def jobs(self) -> list[JobView]:
        """All jobs without a result."""
        found: list[JobView] = []
        page = await self.queue.inspection.jobs()
        while True:
            found += page.jobs
            if page.cursor is None:
                return found
            page = await self.queue.inspection.jobs(cursor=page.cursor)

    async def workerctl(self, *words: str) -> tuple[int, str]:
        """One command as an operator types it: exit code, then what it printed on both streams."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-c", "from pageworker_supervisor.cli.app import main; main()"),
            *(*words, "--config", str(self.daemon.config)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            stdin=asyncio.subprocess.DEVNULL,
        )
        said, _ = await process.communicate()
        return process.returncode or 0, said.decode()


@contextlib.asynccontextmanager
async def home_with(**settings: Mapping[str, Any]) -> AsyncIterator[Home]:
    """A home whose worker has these sections of settings beside the usual ones. A value of None takes one away.

    `redis={"url": None}` lets the worker start a Redis of its own.
    """
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pw-tenants-")))
        here = await stack.enter_async_context(place(*write_modules(folder)))
        receiver = await stack.enter_async_context(pw_receiver.receiver())
        tenants: dict[str, Any] = {}
        for name, secret in SECRETS.items():
            file = here.folder / f"{name}.callback"
            file.write_bytes(secret)
            tenants[name] = {
                "callback_allow": [f"http://127.0.0.1:{receiver.port}/ok/{name}"],
                "callback_secret_file": str(file),
            }
        own: dict[str, Any] = {
            "tenants": tenants,
            "pool": {"runners": 3, "pages": 4},
            "browser": HEADLESS_SHELL,
            "jobs": {"retry_base_seconds": 0.05},
        }
        merged: dict[str, Any] = {key: {**own.get(key, {}), **settings.get(key, {})} for key in own | dict(settings)}
        daemon = stack.enter_context(here.worker(**merged))
        redis_client, queue, loaded = await stack.enter_async_context(open_queue(daemon.config))
        mailbox = Mailbox()
        names = list(loaded.tenants)
        await stack.enter_async_context(mailbox.open(redis_client, loaded.redis.prefix, loaded.redis.shards, names))
        known = {name: Tenant(name, redis_client, mailbox) for name in names}
        yield Home(daemon, redis_client, queue, mailbox, receiver, known, here, merged)

"""Workers with data folders of their own and one snapshot store, a site with a login, and a producer of its jobs."""

import json
import socket
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

from pw_daemon import HEADLESS_SHELL, DaemonFolder, DaemonProcess, Producer, place, write_module
from pw_queue import plain_client
from pw_runner.site import Request, Site, SiteAnswer

from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.redis_client import Router

LOGIN = """
await page.goto("http://shop.test/home")
before = await page.evaluate("({cookie: document.cookie, entry: localStorage.getItem('user') ?? ''})")
if payload.get("user"):
    await page.goto("http://shop.test/login?" + payload["user"])
    await page.evaluate("user => localStorage.setItem('user', user)", payload["user"])
await asyncio.sleep(payload.get("seconds", 0))
return before
"""


def login(request: Request) -> SiteAnswer:
    """Sets the cookie of a login that lasts."""
    user = request.url.partition("?")[2]
    return SiteAnswer("<title>in</title>", headers=(f"Set-Cookie: user={user}; Max-Age=86400; Path=/",))


class SnapshotFleet:
    """Workers with one snapshot store, and a producer."""

    def __init__(self, home: DaemonFolder, producer: Producer, address: str) -> None:
        self.home = home
        self.producer = producer
        self.store = home.folder / "store"
        self._address = address
        self._jobs = 0

    def worker(self, name: str, **profiles: Any) -> Any:
        """One with a data folder of its own, and one runner. `profiles`: more settings of the section."""
        return self.home.worker(
            name,
            # All workers write into the store's folder and read the key, so they need one user. Started as root, each
            # would become a user of its own otherwise.
            worker={"user": "root"},
            browser=HEADLESS_SHELL,
            pool={"runners": 1, "pages": 1, "idle_seconds": 60},
            egress={"hosts": {"shop.test": self._address}},
            profiles={"store": self.store.as_uri(), "key_secret": "profiles", **profiles},
            secrets={"backend": "files", "files": {"folder": str(self.home.folder / "secrets")}},
        )

    async def push(self, **payload: Any) -> str:
        """A job on the profile. Returns its id."""
        self._jobs += 1
        job_id = f"j{self._jobs}"
        await self.producer.push(self.producer.job(job_id, "test.login", payload, profile_id="buyer"))
        return job_id

    async def cookie(self, **payload: Any) -> str:
        """The cookie that the next job finds."""
        return (await self.found(**payload))["cookie"]

    async def found(self, **payload: Any) -> dict[str, str]:
        """The cookie, and the entry of the local storage, that the next job finds. "": there is none."""
        job_id = await self.push(**payload)
        while job_id not in self.producer.results:
            await self.producer.collect(len(self.producer.results) + 1, 90)
        result = self.producer.results[job_id]
        assert result["status"] == "succeeded", result
        return {name: str(result["data"][name]) for name in ("cookie", "entry")}

    def head(self) -> Any:
        """The profile's head."""
        return json.loads((self.store / "acme/buyer/head.json").read_text())

    async def disown(self, worker: DaemonProcess) -> None:
        """A killed worker's leases expire now, not 45 s after its last heartbeat."""
        worker.kill()
        client = plain_client(self.home.redis.port)
        async with aclosing(client):
            # Any: redis-py's types name every kind of reply.
            names: Any = await client.zrange("pw:{0}:workers", 0, -1)
            for name in names:
                await QueueClient(Router(client, client)).consumer.disown_worker(name.decode())


@asynccontextmanager
async def snapshot_fleet(folder: Path) -> AsyncIterator[SnapshotFleet]:
    """One for the block. `folder`: for the source of its module."""
    listener = socket.create_server(("127.0.0.1", 0))
    site = await Site({"/home": SiteAnswer("<title>home</title>"), "/login": login}).serve(listener)
    try:
        module = write_module(folder, "test.login", LOGIN, egress=["shop.test"])
        async with place(module) as home, aclosing(Producer(home.redis.url)) as producer:
            (home.folder / "store").mkdir()
            secret = home.folder / "secrets/_fleet/profiles"
            secret.parent.mkdir(parents=True)
            secret.touch(0o600)
            secret.write_text(bytes(range(32)).hex())
            yield SnapshotFleet(home, producer, f"127.0.0.1:{listener.getsockname()[1]}")
    finally:
        await site.close()

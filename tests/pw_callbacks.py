"""A callback sender at work, with a real receiver and an outbox in memory."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from pw_receiver import Receiver, receiver

from pageworker_supervisor.config.settings import CallbackSettings, Settings, TenantSettings
from pageworker_supervisor.config.tenant_lookup import limits_for
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.delivery.callback_secrets import CallbackSecrets
from pageworker_supervisor.delivery.callback_sender import CallbackSender
from pageworker_supervisor.delivery.outbox import OutboxEntry
from pageworker_supervisor.redis_client.errors import RedisUnavailable
from pageworker_supervisor.secrets.open_backend import open_backend
from pageworker_supervisor.secrets.store import SecretStore
from pageworker_supervisor.telemetry.metrics import Metrics

T = TypeVar("T")

SECRET = b"a secret that receivers know"
TOKEN = "a token of header auth"


@dataclass
class MemoryOutbox:
    """What the queue's outbox does, in memory and on this loop's clock."""

    due: list[tuple[float, OutboxEntry]] = field(default_factory=list)
    taken: dict[str, OutboxEntry] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    postponed: list[tuple[str, int]] = field(default_factory=list)
    given_up: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    away: int = 0
    """So many calls fail."""

    def add(self, url: str, job_id: str = "job-1", *, tenant_id: str = "acme", age_seconds: float = 0.0) -> None:
        result = json.dumps({"job_id": job_id, "status": "succeeded", "data": "ü"}).encode()
        self.due.append(
            (
                0.0,
                OutboxEntry(
                    id=f"p-{job_id}",
                    shard=0,
                    ref=JobRef(tenant_id, job_id),
                    callback_url=url,
                    result=result,
                    tries=0,
                    since=time.monotonic() - age_seconds,
                    token="t",
                ),
            )
        )

    async def take(self, count: int, block_ms: int) -> Sequence[OutboxEntry]:
        self._reach()
        loop = asyncio.get_running_loop()
        async with self.changed:
            now = loop.time()
            ripe = [item for item in self.due if item[0] <= now][:count]
            if not ripe:
                soonest = min((at for at, _ in self.due), default=now + 0.05)
                with_time = max(0.0, min(soonest - now, block_ms / 1000))
                try:
                    async with asyncio.timeout(with_time):
                        await self.changed.wait()
                except TimeoutError:
                    return []
            for item in ripe:
                self.due.remove(item)
                self.taken[item[1].id] = item[1]
            return [entry for _, entry in ripe]

    async def done(self, entries: Sequence[OutboxEntry], facts: Sequence[bytes] = ()) -> None:
        self._reach()
        async with self.changed:
            for entry in entries:
                del self.taken[entry.id]
                self.ended.append(entry.ref.job_id)
            self.changed.notify_all()

    async def later(self, entry: OutboxEntry, delay_ms: int, facts: bytes | None = None, **_: bool) -> None:
        self._reach()
        assert delay_ms > 0
        async with self.changed:
            again = msgspec.structs.replace(self.taken.pop(entry.id), tries=entry.tries + 1)
            self.due.append((asyncio.get_running_loop().time() + delay_ms / 1000, again))
            self.postponed.append((entry.ref.job_id, delay_ms))
            self.changed.notify_all()

    async def failed(self, entry: OutboxEntry, event: bytes, facts: bytes | None = None, **_: bool) -> None:
        self._reach()
        async with self.changed:
            del self.taken[entry.id]
            self.given_up.append((entry.ref.job_id, json.loads(event)))
            self.changed.notify_all()

    async def until(self, what: Callable[[], bool]) -> None:
        async with self.changed:
            await self.changed.wait_for(what)

    def _reach(self) -> None:
        if self.away:
            self.away -= 1
            raise RedisUnavailable("gone")


class ImmediateRetries:
    """Repeats a failed call at once. The real one waits until Redis answers."""

    async def retry_until_available(self, call: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                return await call()
            except RedisUnavailable:
                await asyncio.sleep(0)


@dataclass
class CallbackSetup:
    outbox: MemoryOutbox
    receiver: Receiver
    callback_sender: CallbackSender
    metrics: Metrics
    secret: Path


@asynccontextmanager
async def setup(tmp_path: Path, allow: Sequence[str] = (), **callbacks: Any) -> AsyncIterator[CallbackSetup]:
    secret = tmp_path / "secret"
    secret.write_bytes(SECRET + b"\n")
    async with receiver() as there:
        tenant = TenantSettings(
            callback_allow=("http://127.0.0.1:*", *allow),
            callback_secret_file=secret,
            callback_headers={"X-Worker-Token": TOKEN},
        )
        chosen = Settings(
            tenants={"acme": tenant, "mute": TenantSettings(callback_allow=("http://127.0.0.1:*",))},
            callbacks=CallbackSettings(**callbacks),
        )
        outbox, metrics = MemoryOutbox(), Metrics()
        at_work = CallbackSender(
            outbox,
            ImmediateRetries(),
            chosen.callbacks,
            chosen.worker.id,
            partial(limits_for, chosen.tenants),
            CallbackSecrets(SecretStore(open_backend(chosen.secrets, {}))).secret,
            metrics,
        )
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            running = tasks.create_task(at_work.run())
            yield CallbackSetup(outbox, there, at_work, metrics, secret)
            running.cancel()

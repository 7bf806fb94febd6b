"""Runs jobs on this host without Redis, for authors and for measurements.

Gateway, sandbox, registry, attempt and result are those of a worker. In place of the queue there is one in memory that
gives each job one attempt. Modules are signed with a key that is made for this run and never written to disk.
"""

import asyncio
import dataclasses
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from pageworker_sandbox.launch import Host, survey
from pageworker_sandbox.signing import PackedBundle, SecretKey, TrustStore, UntrustedBundle, sign
from pageworker_sandbox.task_group import TaskGroup
from pageworker_sandbox.wire.messages import BROWSER_CLOSE_SECONDS
from pageworker_sandbox.wire.once_messages import OnceAct
from pageworker_supervisor.components import Components, HostEnvironment
from pageworker_supervisor.config.settings import RedisSettings, Settings
from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.contract.job import Job, parse_job
from pageworker_supervisor.contract.traffic import NO_TRAFFIC, Traffic
from pageworker_supervisor.dispatch.attempt import Attempt
from pageworker_supervisor.dispatch.outcome import build_result, end_without_running
from pageworker_supervisor.host.own_users import own_users
from pageworker_supervisor.host.uid_ranges import IdRange
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.claim import Lease
from pageworker_supervisor.queue.consumer import JobConsumer
from pageworker_supervisor.queue.once import LocalOnce, OnceReply
from pageworker_supervisor.queue.request_counts import LocalRequestCounts, RequestCounts
from pageworker_supervisor.queue.request_rates import LocalRequestRates, RequestRates
from pageworker_supervisor.queue.usage import JobSpending
from pageworker_supervisor.redis_client import RedisClient, connect
from pageworker_supervisor.registry import Registry
from pageworker_supervisor.registry.publisher import Publisher
from pageworker_supervisor.registry.resolve import STABLE
from pageworker_supervisor.registry.store import Store
from pageworker_supervisor.runners.fleet import Fleet
from pageworker_supervisor.secrets.backend import SecretBackend
from pageworker_supervisor.task_supervision import leaves
from pageworker_supervisor.telemetry import log
from pageworker_supervisor.telemetry.metrics import Metrics

NAME = "local"
"""Of this worker in the ids of its runners."""
LOCAL_FOLDER = "local"
"""In the data folder: the profiles of local runs. A worker never opens them, and a local run none of the worker's."""


class LocalRunFailed(Exception):
    """The job was not run, and has no result: the host is to blame."""


@dataclass(frozen=True)
class LocalSetup:
    """What a local worker is started with. Use `local_setup`."""

    settings: Settings
    host: Host
    data_dir: Path
    """Holds the profiles."""
    scratch: Path
    """Holds the registry of this run."""
    uids: IdRange | None
    secret_backend: SecretBackend | None = None
    """In place of the one that the settings name."""

    def with_settings(self, settings: Settings) -> "LocalSetup":
        """The same with other settings."""
        return dataclasses.replace(self, settings=settings)

    def with_secrets(self, backend: SecretBackend | None) -> "LocalSetup":
        """The same with secrets of this backend. None: of the one that the settings name."""
        return dataclasses.replace(self, secret_backend=backend)


class LocalConsumer(JobConsumer):
    """The end of each job in memory, in place of the queue's."""

    def __init__(self) -> None:  # no call of the base: it has nothing but connections
        self.results: dict[str, bytes] = {}
        """By token."""
        self.crashes: dict[str, bytes] = {}
        """The attempt (JSON) under which a runner died."""
        self.reasons: dict[str, str] = {}
        """Why a job was not run."""
        self._once = LocalOnce()

    async def finish(
        self,
        lease: Lease,
        status: str,
        result: bytes,
        *,
        callback: str | None = None,
        trace: str | None = None,
        dead_letter: bytes | None = None,
        events: Sequence[bytes] = (),
        release_profile: bool = False,
        used: bytes | None = None,
        observed: Mapping[str, object] | None = None,
        spent: JobSpending | None = None,
    ) -> bool:
        """Keep the result."""
        self.results[lease.token] = result
        return True

    async def begin(self, lease: Lease, *, used: bytes | None = None) -> bool:
        """Jobs here do not expire."""
        return True

    async def store(self, lease: Lease) -> bool:
        """A job here holds no permits."""
        return True

    async def once(self, lease: Lease, key: str, act: OnceAct, *, call_number: int, value: bytes | None) -> OnceReply:
        """Each run is a job of its own."""
        return self._once.call(lease.token, key, act, value)

    async def progress(self, lease: Lease, step: bytes, event: bytes) -> bool:
        """The log has a line of it."""
        return True

    async def crash(
        self,
        lease: Lease,
        delay_ms: int,
        attempt: bytes,
        events: Sequence[bytes] = (),
        *,
        begun: bool = False,
        traffic: Traffic = NO_TRAFFIC,
        used: bytes | None = None,
    ) -> bool:
        """Its runner died. A worker would try twice more."""
        self.crashes[lease.token] = attempt
        return True

    async def defer(
        self,
        lease: Lease,
        delay_ms: int,
        reason: str,
        *,
        begun: bool = False,
        traffic: Traffic = NO_TRAFFIC,
        used: bytes | None = None,
    ) -> bool:
        """A worker would try again later."""
        self.reasons[lease.token] = reason
        return True

    async def requeue(
        self, lease: Lease, *, begun: bool = False, traffic: Traffic = NO_TRAFFIC, used: bytes | None = None
    ) -> bool:
        """Another worker would try."""
        return True

    async def reassign(self, lease: Lease, context: ContextKey, *, used: bytes | None = None) -> bool:
        """The job would wait for a runner with these hosts and options."""
        return True


class LocalQueue(QueueClient):
    """The queue's client with a LocalConsumer, and with rates and counts of requests of its own.

    Its other parts are never called."""

    def __init__(self, redis_client: RedisClient) -> None:
        super().__init__(redis_client)
        self.consumer: LocalConsumer = LocalConsumer()
        self.request_rates: RequestRates = LocalRequestRates()
        self.request_counts: RequestCounts = LocalRequestCounts()


class LocalWorker:
    """A worker without a queue. Use `local_worker`."""

    def __init__(
        self, components: Components, queue: LocalQueue, publisher: Publisher, key: SecretKey, settings: Settings
    ) -> None:
        self.fleet = components.fleet
        self.files = components.services.files.store
        """Where files of its jobs are stored."""
        self._services = components.services
        self._registry = components.registry
        self._ends = queue.consumer
        self._publisher = publisher
        self._key = key
        self._worker_id = settings.worker.id
        self._pages = settings.pool.runners * settings.pool.pages

    async def publish(self, packed: PackedBundle) -> None:
        """Sign a module and publish it to the registry of this run. Raises ModuleError."""
        await self._publisher.publish(UntrustedBundle(packed.data, sign(packed, self._key)), STABLE)
        await self._registry.refresh()

    async def run(self, job_text: bytes) -> bytes:
        """The result (JSON) of one attempt of a job. Waits for a free page.

        Raises ContractError for a text that is no valid job, LocalRunFailed if this host could not run it.
        """
        job = parse_job(job_text)
        while True:
            lease = _lease(job, job_text)
            attempt = Attempt(lease, self._services)
            try:
                await attempt.serve()
            except asyncio.CancelledError:
                await attempt.stop("cancelled")  # the handler cleans up
                raise
            if (result := self._ends.results.pop(lease.token, None)) is not None:
                return result
            if (lost := self._ends.crashes.pop(lease.token, None)) is not None:
                dead = replace(lease, ending="dead", crashes=1, attempts=(lost,))
                return build_result(job, dead, end_without_running(job, dead), self._worker_id, attempt.version)
            if reason := self._ends.reasons.pop(lease.token, None) or self.fleet.trouble():
                raise LocalRunFailed(reason)
            await self._free_page()  # another job had taken the last one

    async def _free_page(self) -> None:
        # A runner that takes no more jobs has its slot until it is gone.
        while sum(runner.taken for runner in self.fleet.runners.values()) >= self._pages or any(
            not slot.open for slot in self.fleet.slots()
        ):
            self.fleet.changed.clear()
            await self.fleet.changed.wait()


def _lease(job: Job, job_text: bytes) -> Lease:
    """A job as the queue hands it out the first time."""
    return Lease(
        ref=job.ref,
        profile_id=job.profile_id,
        shard=0,
        token=secrets.token_hex(16),
        body=job_text,
        attempt=1,
        crashes=0,
        exclusive=False,
        profile_fence=None,
        ending=None,
        queued_seconds=0.0,
        total_seconds=0.0,
        attempts=(),
        priority=job.priority,
    )


@contextmanager
def local_setup(settings: Settings, data_dir: Path | None = None) -> Iterator[LocalSetup]:
    """A setup on this host for the block. `data_dir`: the profiles; None: the run uses none.

    User ids are chosen anew: a worker on this host may use its own. Raises HostUnfit, HostRefused, OSError.
    """
    sandbox = replace(settings.sandbox, first_uid=None)
    settings = replace(settings, sandbox=sandbox)
    with tempfile.TemporaryDirectory(prefix="pageworker-run-") as folder:
        scratch = Path(folder)
        data_dir = data_dir or scratch / "data"
        data_dir.mkdir(mode=0o711, parents=True, exist_ok=True)
        with own_users(settings.sandbox, data_dir) as users:
            browser = settings.browser
            host = survey(sandbox.python, browser.executable, browser.flavor, sandbox.require, users.namespace)
            yield LocalSetup(settings, host, data_dir, scratch, users.ids)


@asynccontextmanager
async def local_worker(setup: LocalSetup) -> AsyncIterator[LocalWorker]:
    """A local worker for the block. Every process that it started has ended afterwards. Raises OSError."""
    settings, key = setup.settings, SecretKey.new()
    store = setup.scratch / "registry"
    store.mkdir()
    metrics = Metrics(settings.tenants, worker_id=settings.worker.id)
    registry = await Registry.open(store, TrustStore([key.public]), setup.scratch / "modules")
    redis_client = unused_client(settings.redis)
    queue = LocalQueue(redis_client)
    environment = HostEnvironment(
        settings,
        setup.data_dir,
        setup.host,
        metrics,
        uids=setup.uids,
        http_ports=tuple(port for port in (int(settings.http.bind.rpartition(":")[2]),) if port),
        secret_backend=setup.secret_backend,
        local_profiles=True,
    )
    components = Components(environment, NAME, redis_client, queue, registry)
    try:
        async with TaskGroup() as tasks:
            needed = (
                components.gateway.run(),
                components.fleet.run(),
                components.input_checks.run(),
                components.secrets.run(),
                components.proxies.run(),
                components.requests.run(),
            )
            running = [tasks.create_task(one) for one in needed]
            try:
                yield LocalWorker(components, queue, Publisher(Store(store), key), key, settings)
                await _close(components.fleet)
            finally:
                for task in running:
                    task.cancel()
                # Before the group sees an error of the block: it would cancel them again, and they would not clean up.
                await asyncio.wait(running)
    except BaseExceptionGroup as group:
        # The block's own error is in it, beside those of the tasks.
        raise next(leaves(group)) from None
    finally:
        await redis_client.aclose()


async def _close(fleet: Fleet) -> None:
    """Let browsers write their profiles to disk. Other runners need not end normally: nothing of them is kept."""
    if not any(runner.context.profile for runner in fleet.runners.values()):
        return
    fleet.retire_all("the run is over")
    try:
        async with asyncio.timeout(BROWSER_CLOSE_SECONDS):
            await fleet.empty()
    except TimeoutError:
        log.warning("the browser did not close in time, so the profile may lack its latest changes")


def unused_client(settings: RedisSettings) -> RedisClient:
    """A client that is never called. The worker's Redis is one of the ports that runners must not reach."""
    if settings.url is None:
        return RedisClient(f"redis://127.0.0.1:{settings.port or 6399}")
    return connect(settings)

"""How each alert is really caused: one fault per case. A fault lasts while its block does, and is mended at the end."""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from alerts.world import MODULE, VAULT_TENANT, AlertWorld
from pw_servers.waiting import until

from pageworker_supervisor.central.document import texts_of_values
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.registry.publisher import Publisher
from pageworker_supervisor.registry.store import Store
from pageworker_supervisor.rollouts.rollout_entry import RolloutEntry, encode_entry


@dataclass(frozen=True)
class FaultCase:
    """`alerts` fire and clear once. `also`: consequences that may fire as well."""

    alerts: tuple[str, ...]
    fault: Callable[[AlertWorld], Iterator[None]]
    also: tuple[str, ...] = ()
    stops_targets: bool = False
    """Whether the fault keeps Prometheus from what it scrapes. Else a failed scrape shows that the host is too busy."""
    seconds: float = 90.0
    """Longest time until all have fired, and again until all have cleared."""


CUT_OFF = ("RedisDown", "WorkerHeartbeatMissing", "NoReadyWorker", "Stalled", "QueueTooOld", "FleetProcessMissing")
BURN = ("ErrorBudgetBurnFast", "ErrorBudgetBurnSlow", "DeadLettersGrowing")


def cancel_all(world: AlertWorld) -> None:
    """Cancel every job that has no result yet."""

    async def cancel() -> None:
        async with world.queue() as queue:
            for view in (await queue.inspection.jobs(count=1000)).jobs:
                await queue.inspection.cancel(JobRef(view.tenant_id, view.job_id))

    asyncio.run(cancel())


def redis_is_away(world: AlertWorld) -> Iterator[None]:
    """Redis is killed."""
    world.redis.kill()
    yield
    world.redis.start()
    world.wait_ready()


def callbacks_are_refused(world: AlertWorld) -> Iterator[None]:
    """The receiver answers 404."""
    world.receiver.status = 404
    for _ in range(8):
        world.push(callback_url=world.receiver.url)
    yield
    world.receiver.status = 200


def callbacks_fail(world: AlertWorld) -> Iterator[None]:
    """The receiver answers 500."""
    world.receiver.status = 500
    world.push(callback_url=world.receiver.url)
    yield
    world.receiver.status = 200


def half_of_the_jobs_fail(world: AlertWorld) -> Iterator[None]:
    """The handler of every second job fails; afterwards all succeed."""
    turns = iter(range(1_000_000))
    broken = threading.Event()
    broken.set()

    def push() -> None:
        fails = broken.is_set() and next(turns) % 2
        world.push("fail" if fails else "echo", more={"times": 9} if fails else {})

    with world.load(push, 0.1):
        yield
        broken.clear()
        until(lambda: not world.prometheus.firing(), "the failures are forgotten", 120, 0.5)


def runners_crash(world: AlertWorld) -> Iterator[None]:
    """Jobs kill their runners."""
    with world.load(lambda: world.push("crash", more={"often": 1}), 0.3):
        yield
    cancel_all(world)


def jobs_are_dead_lettered(world: AlertWorld) -> Iterator[None]:
    """Fifteen jobs fail, among many that succeed."""
    with world.load(world.push, 0.02):
        for _ in range(15):
            world.push("fail", more={"times": 9})
        yield


def a_site_blocks(world: AlertWorld) -> Iterator[None]:
    """The module reports a captcha for each job."""
    with world.load(lambda: world.push("blocked"), 0.3):
        yield


def all_pages_are_used(world: AlertWorld) -> Iterator[None]:
    """More long jobs than pages."""
    for number in range(12):
        world.push("echo", 280_000, tenant=f"busy-{number % 2}")
    yield
    cancel_all(world)


def the_worker_is_drained(world: AlertWorld) -> Iterator[None]:
    """An operator drains the only worker, and jobs come."""
    list(world.control.drain(1))
    world.push()
    yield
    world.control.undrain()


def the_worker_hangs(world: AlertWorld) -> Iterator[None]:
    """The only worker is frozen (SIGSTOP), and jobs come."""
    world.worker.send(signal.SIGSTOP)
    world.push()
    yield
    world.worker.send(signal.SIGCONT)


def the_worker_is_killed(world: AlertWorld) -> Iterator[None]:
    """SIGKILL, and it starts again."""
    world.worker.kill()
    yield
    world.worker.start()
    world.wait_ready()


def the_fleet_process_is_killed(world: AlertWorld) -> Iterator[None]:
    """SIGKILL, and it starts again."""
    world.fleet.kill()
    yield
    world.fleet.start()


def a_drain_cannot_put_jobs_back(world: AlertWorld) -> Iterator[None]:
    """Redis is away when the deadline of a drain comes."""
    world.push("echo", 60_000)
    until(lambda: bool(world.control.status().jobs), "the job runs", 20, 0.1)

    def drain() -> None:
        with suppress(Exception):
            list(world.control.drain(0.2))

    thread = threading.Thread(target=drain)
    world.redis.kill()
    thread.start()
    yield
    world.redis.start()
    thread.join()
    world.control.undrain()
    cancel_all(world)


def redis_is_full(world: AlertWorld) -> Iterator[None]:
    """Memory is limited, and keys that expire fill it: Redis evicts them."""
    used = int(world.redis.command("INFO", "memory")["used_memory"])
    world.redis.command("CONFIG", "SET", "maxmemory-policy", "volatile-ttl")
    world.redis.command("CONFIG", "SET", "maxmemory", used + 4_000_000)
    numbers = iter(range(1_000_000))

    def fill() -> None:
        world.redis.command("SET", f"filler:{next(numbers)}", "x" * 200_000, "EX", 60)

    with world.load(fill, 0.05):
        yield
    world.redis.command("CONFIG", "SET", "maxmemory", 0)
    world.redis.command("CONFIG", "SET", "maxmemory-policy", "noeviction")


def the_index_is_changed(world: AlertWorld) -> Iterator[None]:
    """Another program changes one byte of the signed index in the registry."""
    before = {file: file.read_bytes() for file in world.registry.glob("index.*")}
    for file, data in before.items():
        file.write_bytes(data.replace(b"chaos.echo", b"chaos.echO"))
    yield
    for file, data in before.items():
        file.write_bytes(data)


def the_index_is_not_renewed(world: AlertWorld) -> Iterator[None]:
    """The index has an hour left. A new one is signed at the end."""

    def sign(days: float) -> None:
        asyncio.run(Publisher(Store(world.registry), world.key, expiry_days=days).change())

    sign(1 / 24)
    yield
    sign(90)


def a_change_is_refused(world: AlertWorld) -> Iterator[None]:
    """A program other than workerctl proposes values that no worker accepts."""

    async def propose() -> None:
        async with world.queue() as queue:
            base = (await queue.config.state()).version
            values = texts_of_values({"pool.runners": -1})
            assert await queue.config.propose("wrong", base, values, "test", "to see it") == "open"
            await queue.config.wait_outcome("wrong", 20)

    asyncio.run(propose())
    yield


def the_host_is_loaded(world: AlertWorld) -> Iterator[None]:
    """An operator sets the first marks of memory below what the host uses, and lifts them."""

    async def mark(marks: list[float]) -> None:
        async with world.queue() as queue:
            base = (await queue.config.state()).version
            values = texts_of_values({"admission.memory_percent": marks})
            assert await queue.config.propose(f"marks-{base}", base, values, "test", "to see it") == "open"
            await queue.config.wait_outcome(f"marks-{base}", 20)

    asyncio.run(mark([0.001, 0.002, 100]))
    yield
    asyncio.run(mark([]))


def a_rollout_is_refused(world: AlertWorld) -> Iterator[None]:
    """A program other than workerctl writes an entry with a version that is not in the index, and takes it back."""

    async def write(base: int, entry: RolloutEntry) -> int:
        async with world.queue() as queue:
            return await queue.rollouts.write(MODULE, base, encode_entry(entry), b"{}")

    revision = asyncio.run(write(0, RolloutEntry(replaced={"1.0.0": "9.9.9"})))
    yield
    assert asyncio.run(write(revision, RolloutEntry())) > revision


def a_tenant_uses_up_its_budget(world: AlertWorld) -> Iterator[None]:
    """Two jobs end, and the day has one. An operator raises the budget."""

    async def allow(jobs: int) -> None:
        async with world.queue() as queue:
            base = (await queue.config.state()).version
            values = texts_of_values({"tenants.thrifty.budget.jobs_per_day": jobs})
            assert await queue.config.propose(f"budget-{base}", base, values, "test", "to see it") == "open"
            await queue.config.wait_outcome(f"budget-{base}", 20)

    asyncio.run(allow(1))
    world.push(tenant="thrifty")
    world.push(tenant="thrifty")
    yield
    asyncio.run(allow(1000))


def the_secret_backend_is_away(world: AlertWorld) -> Iterator[None]:
    """The worker has logged in for two minutes, and cannot renew that: OpenBao answers nothing."""
    assert world.bao is not None
    world.push(tenant=VAULT_TENANT, callback_url=world.receiver.url)
    expiry = "pageworker_secret_expiry_timestamp_seconds"
    until(lambda: bool(world.prometheus.values(expiry)), "the worker has logged in", 60, 0.5)
    world.bao.pause()
    yield
    world.bao.resume()


def the_snapshot_store_is_away(world: AlertWorld) -> Iterator[None]:
    """The folder of snapshots is not mounted when the browser of a profile is closed."""
    job_id = world.push(profile_id="shop")
    result = f"pw:result:acme:{job_id}"
    until(lambda: bool(world.redis.command("EXISTS", result)), "the job of the profile has a result", 20, 0.05)
    hidden = world.snapshots.rename(world.snapshots.with_name("hidden"))
    # Others need its runner slot.
    for number in range(4):
        world.push(milliseconds=3000, tenant=f"other-{number}")
    yield
    hidden.rename(world.snapshots)


CASES = (
    FaultCase(("RedisDown",), redis_is_away, CUT_OFF),
    FaultCase(("CallbacksFailing",), callbacks_are_refused),
    FaultCase(("CallbacksLate",), callbacks_fail),
    FaultCase(("ContextCrashLoop",), runners_crash, (*BURN, "QueueTooOld", "PagePoolSaturated")),
    FaultCase(("ErrorBudgetBurnFast", "ErrorBudgetBurnSlow"), half_of_the_jobs_fail, BURN, seconds=180),
    FaultCase(("DeadLettersGrowing",), jobs_are_dead_lettered, BURN, seconds=120),
    FaultCase(("BlockerSpike",), a_site_blocks),
    FaultCase(("PagePoolSaturated", "QueueTooOld"), all_pages_are_used),
    FaultCase(("NoReadyWorker",), the_worker_is_drained, ("Stalled", "QueueTooOld")),
    # The frozen worker may have taken the text: the fleet counts it 30 s later.
    FaultCase(("Stalled",), the_worker_hangs, CUT_OFF, stops_targets=True, seconds=180),
    FaultCase(("WorkerHeartbeatMissing",), the_worker_is_killed, CUT_OFF, stops_targets=True),
    FaultCase(("DrainOverdue",), a_drain_cannot_put_jobs_back, CUT_OFF),
    FaultCase(("RedisEvicting", "RedisMemoryHigh"), redis_is_full, CUT_OFF),
    FaultCase(("FleetProcessMissing",), the_fleet_process_is_killed, stops_targets=True),
    FaultCase(("BadSignature",), the_index_is_changed),
    FaultCase(("RegistryExpiring",), the_index_is_not_renewed),
    FaultCase(("ConfigurationRefused",), a_change_is_refused),
    FaultCase(("AdmissionClosed",), the_host_is_loaded),
    FaultCase(("RolloutRefused",), a_rollout_is_refused),
    FaultCase(("SnapshotsNotStored",), the_snapshot_store_is_away),
    FaultCase(("TenantBudgetUsedUp",), a_tenant_uses_up_its_budget),
    # After two thirds of its time, the login is to be renewed. After three quarters it is late.
    FaultCase(("SecretExpiring",), the_secret_backend_is_away, seconds=180),
)


@contextmanager
def caused(case: FaultCase, world: AlertWorld) -> Iterator[None]:
    """The fault of the case, for the block."""
    fault = case.fault(world)
    next(fault)
    try:
        yield
    finally:
        # Also where the alert did not come: the next case begins in a whole world.
        with suppress(StopIteration):
            next(fault)

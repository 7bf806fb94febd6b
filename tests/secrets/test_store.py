"""Values are used within their lease: renewed before its end, kept through an outage, and not one second longer."""

import asyncio
from collections import Counter

import pytest

from pageworker_supervisor.secrets.backend import FetchedSecret, SecretRef
from pageworker_supervisor.secrets.errors import SecretMissing, SecretUnavailable
from pageworker_supervisor.secrets.store import SecretStore

REF, OTHER = SecretRef("acme", "login"), SecretRef("globex", "login")
LEASE_SECONDS = 100.0


class ScriptedBackend:
    """Gives version after version, or raises `error`."""

    def __init__(self, lease_seconds: float = LEASE_SECONDS) -> None:
        self.asked = 0
        self.asked_for: Counter[SecretRef] = Counter()
        self.error: Exception | None = None
        self.lease_seconds = lease_seconds
        self.open = asyncio.Event()
        self.open.set()
        self.changed = asyncio.Event()

    async def fetch(self, ref: SecretRef) -> FetchedSecret:
        self.asked += 1
        self.asked_for[ref] += 1
        self.changed.set()
        await self.open.wait()
        if self.error is not None:
            raise self.error
        return FetchedSecret(value=f"{ref}-{self.asked}", version=str(self.asked), lease_seconds=self.lease_seconds)

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def until_asked(self, times: int, ref: SecretRef | None = None) -> None:
        async with asyncio.timeout(30):
            while (self.asked if ref is None else self.asked_for[ref]) < times:
                self.changed.clear()
                await self.changed.wait()


class StoppedClock:
    """Stands still until it is set."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


async def test_a_value_is_asked_for_once_in_half_a_lease(clock: StoppedClock) -> None:
    backend = ScriptedBackend()
    store = SecretStore(backend, clock)
    assert (await store.fetch(REF)).version == "1"
    clock.now += 0.49 * LEASE_SECONDS
    assert (await store.fetch(REF)).version == "1"
    clock.now += 0.02 * LEASE_SECONDS
    assert (await store.fetch(REF)).version == "2", "a rotated value arrives within half a lease"


class LoggedInBackend(ScriptedBackend):
    """Has a login that ends."""

    ends_in: float | None = None

    def login_ends_in(self) -> float | None:
        return self.ends_in


async def test_the_first_end_is_that_of_a_lease_or_of_the_login(clock: StoppedClock) -> None:
    backend = LoggedInBackend()
    store = SecretStore(backend, clock)
    assert store.ends_in() is None
    backend.ends_in = 2 * LEASE_SECONDS
    assert store.ends_in() == 2 * LEASE_SECONDS
    await store.fetch(REF)
    clock.now += 0.3 * LEASE_SECONDS
    await store.fetch(OTHER)
    assert store.ends_in() == pytest.approx(0.7 * LEASE_SECONDS)
    backend.ends_in = 5.0
    assert store.ends_in() == 5.0


async def test_a_backend_without_leases_and_login_has_no_end(clock: StoppedClock) -> None:
    store = SecretStore(ScriptedBackend(lease_seconds=0), clock)
    await store.fetch(REF)
    assert store.ends_in() is None


async def test_tenants_have_values_of_their_own(clock: StoppedClock) -> None:
    store = SecretStore(ScriptedBackend(), clock)
    assert (await store.fetch(REF)).value != (await store.fetch(OTHER)).value


async def test_a_value_without_a_lease_is_asked_for_each_time(clock: StoppedClock) -> None:
    backend = ScriptedBackend(lease_seconds=0)
    store = SecretStore(backend, clock)
    assert [(await store.fetch(REF)).version for _ in range(2)] == ["1", "2"]
    backend.error = SecretUnavailable("away")
    with pytest.raises(SecretUnavailable):
        await store.fetch(REF)


async def test_an_outage_is_bridged_to_the_end_of_the_lease_and_no_longer(clock: StoppedClock) -> None:
    backend = ScriptedBackend()
    store = SecretStore(backend, clock)
    await store.fetch(REF)
    backend.error = SecretUnavailable("away")
    clock.now += 0.99 * LEASE_SECONDS
    assert (await store.fetch(REF)).version == "1"
    clock.now += 0.02 * LEASE_SECONDS
    with pytest.raises(SecretUnavailable, match="away"):
        await store.fetch(REF)
    backend.error = None
    assert (await store.fetch(REF)).value == "acme/login-4"


async def test_a_lease_counts_from_the_question_not_from_the_answer(clock: StoppedClock) -> None:
    backend = ScriptedBackend()
    backend.open.clear()
    store = SecretStore(backend, clock)
    async with asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(store.fetch(REF))
        await backend.until_asked(1)
        clock.now += 0.6 * LEASE_SECONDS
        backend.open.set()
    assert asking.result().version == "1"
    assert (await store.fetch(REF)).version == "2"


async def test_a_secret_that_is_gone_is_not_given_from_memory(clock: StoppedClock) -> None:
    backend = ScriptedBackend()
    store = SecretStore(backend, clock)
    await store.fetch(REF)
    backend.error = SecretMissing("deleted")
    clock.now += 0.6 * LEASE_SECONDS
    for _ in range(2):
        with pytest.raises(SecretMissing):
            await store.fetch(REF)


async def test_jobs_that_ask_at_the_same_time_cost_one_question(clock: StoppedClock) -> None:
    backend = ScriptedBackend()
    backend.open.clear()
    store = SecretStore(backend, clock)
    async with asyncio.TaskGroup() as tasks:
        asking = [tasks.create_task(store.fetch(REF)) for _ in range(20)]
        await backend.until_asked(1)
        backend.open.set()
    assert {task.result().version for task in asking} == {"1"}
    assert backend.asked == 1


async def test_what_is_in_use_is_renewed_before_a_job_asks(clock: StoppedClock) -> None:
    backend = ScriptedBackend(lease_seconds=1.0)
    store = SecretStore(backend, clock)
    await store.fetch(REF)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(store.run())
        clock.now += 0.6
        await backend.until_asked(2)
        await asyncio.sleep(0)  # the answer is there; the renewal stores it
        assert (await store.fetch(REF)).version == "2"
        assert backend.asked == 2
        running.cancel()


async def test_a_renewal_that_fails_is_tried_again_and_disturbs_nothing(clock: StoppedClock) -> None:
    backend = ScriptedBackend(lease_seconds=1.0)
    store = SecretStore(backend, clock)
    await store.fetch(REF)
    backend.error = SecretUnavailable("away")
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(store.run())
        clock.now += 0.6
        await backend.until_asked(2)
        assert (await store.fetch(REF)).version == "1"
        clock.now += 0.1
        backend.error = None
        await backend.until_asked(4)
        running.cancel()


async def test_a_worker_without_leases_does_not_wake_up(clock: StoppedClock, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SecretStore(ScriptedBackend(lease_seconds=0), clock)
    monkeypatch.setattr(store, "_pause_seconds", lambda: pytest.fail("it woke up"))
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(store.run())
        await store.fetch(REF)
        for _ in range(10):
            await asyncio.sleep(0)
        running.cancel()


async def test_what_no_job_uses_is_forgotten(clock: StoppedClock) -> None:
    backend = ScriptedBackend(lease_seconds=1.0)
    store = SecretStore(backend, clock)
    await store.fetch(REF)
    await store.fetch(OTHER)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(store.run())
        clock.now += 0.9
        await store.fetch(OTHER)
        clock.now += 0.2
        await store.fetch(OTHER)
        clock.now += 0.4
        await backend.until_asked(3, OTHER)
        running.cancel()
    assert set(store._cached) == {OTHER}, "in the pass that renewed the other one, this one was forgotten"

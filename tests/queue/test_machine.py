"""Any order of any events, on a real Redis, against a ledger: one result each, nothing over a limit, nothing lost."""

import asyncio
import os
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from pw_queue import JobEnd, QueueHarness, open_harness
from pw_servers import redis_server

from pageworker_supervisor.contract.context_key import NO_EGRESS, ContextKey, egress_digest
from pageworker_supervisor.contract.job import JobRef, Priority
from pageworker_supervisor.queue.claim import Capacity, ContextCapacity, Lease
from pageworker_supervisor.queue.errors import CancelHolds
from pageworker_supervisor.queue.producer import NewJob, QuotaLimits

EXAMPLES = int(os.environ.get("PW_MACHINE_EXAMPLES", "20"))
WORKERS = ("w1", "w2", "w3")
TENANT_LIMITS = {
    "a": QuotaLimits(concurrency=3),
    "b": QuotaLimits(concurrency=50, rate_per_second=2.0, burst=3),
    "c": QuotaLimits(weight=4.0),
}
DOMAIN_LIMITS = {"x.test": QuotaLimits(concurrency=2), "y.test": QuotaLimits(rate_per_second=5.0, burst=2)}
SETS = (NO_EGRESS, egress_digest(["shop.test"]))
CONTEXTS = [ContextKey(t, profile, egress) for t in TENANT_LIMITS for profile in (None, "p1", "p2") for egress in SETS]
JOBS = st.integers(0, 20).map(lambda number: f"job-{number}")
"""Ids that all tenants use. In the ledger a job goes by its whole name."""

T = TypeVar("T")
workers = st.sampled_from(WORKERS)
picks = st.integers(0, 10**6)


@dataclass
class ModelQueue:
    """What must hold, seen from outside."""

    pushed: set[str] = field(default_factory=set)
    owed: dict[str, int] = field(default_factory=dict)
    """Results that each job must have in the end: one, and one more for each retry from the dead letters."""
    results: dict[str, int] = field(default_factory=dict)
    leases: dict[str, Lease] = field(default_factory=dict)
    """Live, by token."""
    ended: list[Lease] = field(default_factory=list)
    """Not live any more: finished, given up or reaped."""
    holder: dict[str, str] = field(default_factory=dict)
    """Worker by token."""
    profiles: dict[tuple[str, str], tuple[str, int]] = field(default_factory=dict)
    """Held profiles: (worker, fence)."""
    opened: dict[tuple[str, str], ContextKey] = field(default_factory=dict)
    """With which hosts each was opened."""
    fences: dict[tuple[str, str], int] = field(default_factory=dict)
    tickets: dict[str, NewJob] = field(default_factory=dict)
    cancelled: set[str] = field(default_factory=set)
    """Whose cancellation was acknowledged: they end so, without running again."""
    awaited: set[str] = field(default_factory=set)
    """The same of jobs of tenant a that were not pushed yet."""
    begun: set[str] = field(default_factory=set)
    """Whose handler has begun once."""


class QueueMachine(RuleBasedStateMachine):
    """One Redis and one harness for all runs, emptied before each."""

    harness: QueueHarness
    runner: asyncio.Runner

    def __init__(self) -> None:
        super().__init__()
        self.ledger = ModelQueue()
        self.queue = self.harness.queue
        self.harness.ahead = 0
        self._run(self.harness.client.flushall())

    def teardown(self) -> None:
        """Whatever happened: every job ends once it is given time, and then nothing is left."""
        for lease in list(self.ledger.leases.values()):
            self._finish(lease)
        for _ in range(600):
            if self.ledger.results == self.ledger.owed:
                break
            self._serve_all()
            self.time_passes(300)
        assert self.ledger.results == self.ledger.owed
        for _ in range(3):  # sweeps entries whose jobs were cancelled or expired
            self.time_passes(10_000)
            self._serve_all()
        self.adds_up()
        (stats,) = self._run(self.queue.inspection.stats())
        assert (stats.queued, stats.delayed, stats.running, stats.ending) == (0, 0, 0, 0)
        assert (stats.active_tenants, stats.parked_tenants) == (0, 0)
        assert stats.outbox_entries == sum(self.ledger.results.values())

    def _serve_all(self) -> None:
        for worker in WORKERS:
            for lease in self._claim(worker, self._capacity(worker, 100, 20, 100)):
                self._finish(lease)
            claimed = self._run(self.queue.consumer.claim(worker, self._capacity(worker, 0, 0, 100)))
            for context in set(claimed.wanted):
                if context.profile is not None and self.ledger.profiles.get(context.profile, ("", 0))[0] == worker:
                    fence = self.ledger.profiles.pop(context.profile)[1]
                    assert self._run(self.queue.consumer.release_profile(worker, *context.profile, fence))
            for lease in claimed.leases:  # ending jobs
                self._admit(worker, lease)
                self._finish(lease)

    # -- in

    @rule(
        job=JOBS,
        context=st.sampled_from(CONTEXTS),
        priority=st.sampled_from(["high", "normal", "low"]),
        domain=st.sampled_from([None, *DOMAIN_LIMITS]),
        delay=st.sampled_from([None, None, None, 500, 40_000]),
        expires=st.sampled_from([None, None, None, None, 2_000, 30_000]),
        copies=st.integers(1, 2),
    )
    def enqueue(
        self,
        job: str,
        context: ContextKey,
        priority: Priority,
        domain: str | None,
        delay: int | None,
        expires: int | None,
        copies: int,
    ) -> None:
        tenant = context.tenant_id
        name = str(JobRef(tenant, job))
        if name in self.ledger.tickets:
            ticket = self.ledger.tickets[name]
        else:
            ticket = NewJob(
                job_id=job,
                tenant_id=tenant,
                priority=priority,
                body=f'{{"job_id":"{job}","tenant_id":"{tenant}","endpoint_module":"m"}}'.encode(),
                profile_id=context.profile_id,
                egress=context.egress,
                domain=domain,
                delay_ms=delay,
                expires_at_ms=None if expires is None else self._now_ms() + expires,
                tenant_limits=TENANT_LIMITS[tenant],
                domain_limits=DOMAIN_LIMITS[domain] if domain else QuotaLimits(),
            )
        replies = self._run(self.queue.producer.enqueue([ticket] * copies))
        assert replies[0] == ("duplicate" if name in self.ledger.pushed else "queued")
        assert set(replies[1:]) <= {"duplicate"}
        if name not in self.ledger.pushed and name in self.ledger.awaited:
            self.ledger.cancelled.add(name)
        self.ledger.tickets[name] = ticket
        self.ledger.pushed.add(name)
        self.ledger.owed.setdefault(name, 1)

    # -- work

    @rule(worker=workers, limit=st.integers(1, 8), runner_slots=st.integers(0, 3), pages=st.integers(1, 4))
    def claim(self, worker: str, limit: int, runner_slots: int, pages: int) -> None:
        self._claim(worker, self._capacity(worker, limit, runner_slots, pages))

    def _capacity(self, worker: str, limit: int, runner_slots: int, pages: int) -> Capacity:
        held = [
            ContextCapacity(self.ledger.opened[key], pages)
            for key, (owner, _) in self.ledger.profiles.items()
            if owner == worker
        ]
        return Capacity(limit=limit, contexts=held, runner_slots=runner_slots, pages_per_runner=pages)

    def _claim(self, worker: str, capacity: Capacity) -> list[Lease]:
        before = self._now_ms()
        claimed = self._run(self.queue.consumer.claim(worker, capacity))
        running = [lease for lease in claimed.leases if lease.ending is None]
        assert len(running) <= capacity.limit
        opened = {lease.context for lease in running} - {warm.context for warm in capacity.contexts}
        assert len(opened) <= capacity.runner_slots
        for lease in claimed.leases:
            self._admit(worker, lease)
            if lease.ending is None:
                expires = self.ledger.tickets[str(lease.ref)].expires_at_ms
                assert str(lease.ref) not in self.ledger.cancelled, "what is cancelled never runs again"
                late = expires is not None and expires < before
                assert not late or str(lease.ref) in self.ledger.begun, "what has not begun in time never begins"
        return list(claimed.leases)

    def _admit(self, worker: str, lease: Lease) -> None:
        ledger = self.ledger
        assert str(lease.ref) in ledger.pushed
        assert ledger.results.get(str(lease.ref), 0) < ledger.owed[str(lease.ref)], "finished jobs never run again"
        assert str(lease.ref) not in {str(live.ref) for live in ledger.leases.values()}, "one lease a job"
        assert lease.token not in {old.token for old in ledger.ended}, "tokens never come again"
        ledger.leases[lease.token] = lease
        ledger.holder[lease.token] = worker
        if lease.profile_id is not None and lease.ending is None:
            key = (lease.tenant_id, lease.profile_id)
            assert lease.profile_fence is not None
            if key in ledger.profiles:
                assert ledger.profiles[key] == (worker, lease.profile_fence), "one holder a profile"
            else:
                assert lease.profile_fence > ledger.fences.get(key, 0), "fences only rise"
                ledger.opened[key] = lease.context
            assert ledger.opened[key] == lease.context, "one egress set at a time"
            ledger.profiles[key] = (worker, lease.profile_fence)
            ledger.fences[key] = lease.profile_fence

    @precondition(lambda self: self.ledger.leases)
    @rule(pick=picks, letter=st.booleans(), times=st.integers(1, 2))
    def finish(self, pick: int, letter: bool, times: int) -> None:
        lease = self._pick(pick)
        self._finish(lease, times=times, letter=letter)

    def _finish(self, lease: Lease, *, times: int = 1, letter: bool = False) -> None:
        ending = JobEnd(
            status=lease.ending or "succeeded",
            result=str(lease.ref).encode(),
            callback="https://n8n.test/hook",
            dead_letter=b"{}" if letter else None,
        )
        if str(lease.ref) in self.ledger.cancelled and lease.ending is None:
            with pytest.raises(CancelHolds):
                self._run(self.queue.consumer.finish(lease, **ending))
            ending["status"] = "cancelled"
        for _ in range(times):
            assert self._run(self.queue.consumer.finish(lease, **ending)) is True, "a replay gives the same answer"
        self._close(lease)
        self.ledger.results[str(lease.ref)] = self.ledger.results.get(str(lease.ref), 0) + 1

    @precondition(lambda self: self.ledger.ended)
    @rule(pick=picks, act=st.sampled_from(["finish", "retry", "defer", "give_back", "reassign", "crash", "heartbeat"]))
    def zombie(self, pick: int, act: str) -> None:
        """A worker that lost the lease long ago comes back: nothing changes."""
        lease = self.ledger.ended[pick % len(self.ledger.ended)]
        match act:
            case "finish":
                self._run(self.queue.consumer.finish(lease, status="failed", result=b"zombie"))
            case "retry":
                self._run(self.queue.consumer.retry(lease, 10, b"{}"))
            case "defer":
                self._run(self.queue.consumer.defer(lease, 10, "late"))
            case "give_back":
                self._run(self.queue.consumer.requeue(lease))
            case "reassign":
                self._run(self.queue.consumer.reassign(lease, SETS[0]))
            case "crash":
                self._run(self.queue.consumer.crash(lease, 10, b"{}"))
            case _:
                assert lease.token in self._run(self.queue.consumer.heartbeat("w1", [lease])).lost

    @precondition(lambda self: self.ledger.leases)
    @rule(pick=picks)
    def begin(self, pick: int) -> None:
        lease = self._pick(pick)
        assert self._run(self.queue.consumer.begin(lease))
        if lease.ending is None:
            self.ledger.begun.add(str(lease.ref))

    @precondition(lambda self: self.ledger.leases)
    @rule(
        pick=picks,
        act=st.sampled_from(["retry", "defer", "give_back", "crash", "reassign"]),
        times=st.integers(1, 2),
        begun=st.booleans(),
    )
    def let_go(self, pick: int, act: str, times: int, begun: bool) -> None:
        lease = self._pick(pick)
        if begun and lease.ending is None and act != "reassign":
            self.ledger.begun.add(str(lease.ref))
        for _ in range(times):
            match act:
                case "retry":
                    done = self._run(self.queue.consumer.retry(lease, 700, b'{"outcome":"failed"}', begun=begun))
                case "defer":
                    done = self._run(self.queue.consumer.defer(lease, 900, "no page", begun=begun))
                case "reassign":
                    done = self._run(self.queue.consumer.reassign(lease, SETS[pick % len(SETS)]))
                case "crash":
                    done = self._run(self.queue.consumer.crash(lease, 800, b'{"outcome":"lost"}', begun=begun))
                case _:
                    done = self._run(self.queue.consumer.requeue(lease, begun=begun))
            assert done, "said twice is said once"
        self._close(lease)

    @rule(worker=workers)
    def heartbeat(self, worker: str) -> None:
        mine = [lease for token, lease in self.ledger.leases.items() if self.ledger.holder[token] == worker]
        held = [(*key, fence) for key, (owner, fence) in self.ledger.profiles.items() if owner == worker]
        beat = self._run(self.queue.consumer.heartbeat(worker, mine, held))
        assert not beat.lost
        assert not beat.lost_profiles

    @rule(worker=workers, pick=picks)
    def release_profile(self, worker: str, pick: int) -> None:
        """Only where no job of it runs: that is the worker's duty."""
        busy = {(lease.tenant_id, lease.profile_id) for lease in self.ledger.leases.values()}
        held = [key for key, (owner, _) in self.ledger.profiles.items() if owner == worker and key not in busy]
        if held:
            key = held[pick % len(held)]
            assert self._run(self.queue.consumer.release_profile(worker, *key, self.ledger.profiles.pop(key)[1]))

    @rule(job=JOBS, tenant=st.sampled_from(list(TENANT_LIMITS)))
    def cancel(self, job: str, tenant: str) -> None:
        name = str(JobRef(tenant, job))
        word = self._run(self.queue.inspection.cancel(JobRef(tenant, job)))
        running = {str(lease.ref): lease for lease in self.ledger.leases.values()}.get(name)
        if name not in self.ledger.pushed:
            assert word == "awaited"
            self.ledger.awaited.add(name)
            return
        if self.ledger.results.get(name, 0) == self.ledger.owed[name]:
            assert word == "finished"
        elif running is None or running.ending is not None:
            assert word in ("cancelled", "finished")
        else:
            assert word == "cancelling"
        if word != "finished":
            self.ledger.cancelled.add(name)

    # -- time

    @rule(milliseconds=st.sampled_from([50, 300, 1_500, 10_000]))
    def time_passes(self, milliseconds: int) -> None:
        """Never so long that a lease runs out: `silence` is for that."""
        self._beat_all()
        self._run(self.harness.later(milliseconds))

    @rule(worker=workers)
    def silence(self, worker: str) -> None:
        """One worker is not heard of for longer than a lease; the others beat. Anybody reaps."""
        for _ in range(4):
            self._beat_all(but=worker)
            self._run(self.harness.later(15_000))
        self._beat_all(but=worker)
        lost = [lease for token, lease in self.ledger.leases.items() if self.ledger.holder[token] == worker]
        reaped = self._run(self.queue.consumer.reap())
        assert reaped.count == len(lost)
        for lease in lost:
            self._close(lease)
        gone = [key for key, (owner, _) in self.ledger.profiles.items() if owner == worker]
        for key in gone:
            del self.ledger.profiles[key]

    def _beat_all(self, but: str | None = None) -> None:
        for worker in WORKERS:
            if worker != but:
                self.heartbeat(worker)

    # -- dead letters

    @rule(pick=picks)
    def dead_retry(self, pick: int) -> None:
        letters = self._run(self.queue.dead_letters.page(1000)).letters
        if not letters:
            return
        letter = letters[pick % len(letters)]
        name = str(letter.ref)
        word = self._run(self.queue.dead_letters.retry([letter.id]))[letter.id]
        unfinished = self.ledger.results.get(name, 0) < self.ledger.owed[name]
        assert word == ("duplicate" if unfinished else "queued")
        if word == "queued":
            self.ledger.owed[name] += 1
            self.ledger.cancelled.discard(name)
            self.ledger.begun.add(name)  # it does not expire any more

    # -- what always holds

    @invariant()
    def adds_up(self) -> None:
        assert self._run(self.queue.inspection.audit()) == []

    @invariant()
    def results_are_single(self) -> None:
        counted: dict[str, int] = {}
        for result in self._run(self.harness.results()):
            counted[result.decode()] = counted.get(result.decode(), 0) + 1
        assert counted == self.ledger.results

    @invariant()
    def limits_hold(self) -> None:
        live = [lease for lease in self.ledger.leases.values() if lease.ending is None]
        for tenant, limits in TENANT_LIMITS.items():
            assert sum(lease.tenant_id == tenant for lease in live) <= limits.concurrency
        for domain, limits in DOMAIN_LIMITS.items():
            at = sum(self.ledger.tickets[str(lease.ref)].domain == domain for lease in live)
            assert at <= limits.concurrency

    # -- inside

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(coroutine)

    def _now_ms(self) -> int:
        seconds, micros = self._run(self.harness.client.time())
        return int(seconds) * 1000 + int(micros) // 1000 + self.harness.ahead

    def _pick(self, pick: int) -> Lease:
        live = list(self.ledger.leases.values())
        return live[pick % len(live)]

    def _close(self, lease: Lease) -> None:
        del self.ledger.leases[lease.token]
        self.ledger.ended.append(lease)


def test_any_order_of_events_keeps_the_ledger() -> None:
    async def enter() -> QueueHarness:
        return await opened.__aenter__()

    with redis_server() as server, asyncio.Runner() as runner:
        opened = open_harness(server.port)
        QueueMachine.harness, QueueMachine.runner = runner.run(enter()), runner
        QueueMachine.TestCase.settings = settings(
            max_examples=EXAMPLES,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],  # shrinking takes minutes, and forty steps can be read
        )
        try:
            QueueMachine.TestCase().runTest()
        finally:
            runner.run(opened.__aexit__(None, None, None))

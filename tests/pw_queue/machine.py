"""A machine of hypothesis: any order of any events, on a real Redis, against a ledger."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.contract.job import JobRef, Priority
from pageworker_supervisor.queue.claim import Capacity, Lease
from pageworker_supervisor.queue.errors import CancelHolds
from pageworker_supervisor.queue.limits_table import LimitsTable
from pageworker_supervisor.queue.pauses import PauseKind
from pageworker_supervisor.queue.producer import NewJob, QuotaLimits
from pw_queue.harness import QueueHarness
from pw_queue.machine_inputs import (
    CONTEXTS,
    DOMAIN_LIMITS,
    JOBS,
    MODULES,
    PAUSABLE,
    TABLES,
    TENANT_LIMITS,
    VALUES,
    WORKERS,
)
from pw_queue.model import ModelQueue
from pw_queue.words import JobEnd

T = TypeVar("T")
workers = st.sampled_from(WORKERS)
picks = st.integers(0, 10**6)


class QueueMachine(RuleBasedStateMachine):
    """One Redis and one harness for all runs, emptied before each."""

    harness: QueueHarness
    runner: asyncio.Runner

    def __init__(self) -> None:
        super().__init__()
        self.ledger = ModelQueue()
        self.queue = self.harness.queue
        self.harness.ahead = 0
        self.contexts: list[ContextKey] = []
        self.domains: list[str | None] = []
        self._run(self.harness.client.flushall())
        self.table = LimitsTable()

    def teardown(self) -> None:
        """Whatever happened: every job ends once it is given time, and then nothing is left."""
        for lease in list(self.ledger.leases.values()):
            self._finish(lease)
        for kind, name in PAUSABLE:
            self.unpause((kind, name))
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
            for lease in self._claim(worker, self.ledger.capacity(worker, 100, 20, 100)):
                self._finish(lease)
            claimed = self._run(self.queue.consumer.claim(worker, self.ledger.capacity(worker, 0, 0, 100)))
            for context in set(claimed.wanted):
                if context.profile is not None and self.ledger.profiles.get(context.profile, ("", 0))[0] == worker:
                    fence = self.ledger.profiles.pop(context.profile)[1]
                    assert self._run(self.queue.consumer.release_profile(worker, *context.profile, fence))
            for lease in claimed.leases:  # ending jobs
                self.ledger.admit(worker, lease)
                self._finish(lease)

    # -- in

    @initialize(
        contexts=st.lists(st.sampled_from(CONTEXTS), min_size=1, max_size=4, unique=True),
        domains=st.sampled_from([[None], ["x.test"], ["x.test", "y.test"], [None, "x.test", "y.test"]]),
    )
    def choose(self, contexts: list[ContextKey], domains: list[str | None]) -> None:
        """Few contexts and domains per run: jobs that share none of them have nothing to do with each other."""
        self.contexts, self.domains = contexts, domains

    @rule(
        numbers=st.lists(st.integers(0, 20), min_size=1, max_size=6, unique=True),
        pick=picks,
        priority=st.sampled_from(["high", "normal", "low"]),
        delay=st.sampled_from([None, None, None, 500, 40_000]),
        expires=st.sampled_from([None, None, None, None, 2_000, 30_000]),
        copies=st.integers(1, 2),
        module=st.sampled_from(MODULES),
    )
    def enqueue(
        self,
        numbers: list[int],
        pick: int,
        priority: Priority,
        delay: int | None,
        expires: int | None,
        copies: int,
        module: str,
    ) -> None:
        self._enqueue(pick, numbers, priority, delay, expires, copies, module)

    def _enqueue(
        self,
        pick: int,
        numbers: list[int],
        priority: Priority = "normal",
        delay: int | None = None,
        expires: int | None = None,
        copies: int = 1,
        module: str = MODULES[0],
    ) -> None:
        context = self.contexts[pick % len(self.contexts)]
        domain = self.domains[pick // len(CONTEXTS) % len(self.domains)]
        expires_at_ms = None if expires is None else self._now_ms() + expires
        tickets = [
            self.ledger.tickets.get(str(JobRef(context.tenant_id, job)))
            or NewJob(
                job_id=job,
                tenant_id=context.tenant_id,
                priority=priority,
                body=f'{{"job_id":"{job}","tenant_id":"{context.tenant_id}","endpoint_module":"{module}"}}'.encode(),
                module=(module, None),
                profile_id=context.profile_id,
                egress=context.egress,
                options=context.options,
                domain=domain,
                delay_ms=delay,
                expires_at_ms=expires_at_ms,
                tenant_limits=TENANT_LIMITS[context.tenant_id],
                domain_limits=DOMAIN_LIMITS[domain] if domain else QuotaLimits(),
            )
            for job in (f"job-{number}" for number in numbers)
        ]
        replies = self._run(self.queue.producer.enqueue(tickets * copies))
        for at, ticket in enumerate(tickets):
            self.ledger.push(ticket, replies[at :: len(tickets)])

    # -- work

    @rule(worker=workers, limit=st.integers(1, 8), runner_slots=st.integers(0, 3), pages=st.integers(1, 4))
    def claim(self, worker: str, limit: int, runner_slots: int, pages: int) -> None:
        self._claim(worker, self.ledger.capacity(worker, limit, runner_slots, pages))

    def _claim(self, worker: str, capacity: Capacity) -> list[Lease]:
        before = self._now_ms()
        claimed = self._run(self.queue.consumer.claim(worker, capacity))
        self.ledger.claim(worker, capacity, claimed.leases, before)
        self.ledger.check_claim(self.table, claimed.leases)
        if claimed.leases and self.ledger.paused:
            self.ledger.check_pauses(claimed.leases, self._now_ms())
        return list(claimed.leases)

    @rule(table=st.sampled_from(TABLES))
    def set_limits(self, table: LimitsTable) -> None:
        """An operator changes the limits of the fleet and of modules while jobs wait and run."""
        self._run(self.queue.limits.set(table))
        self.table = table

    @rule(paused=st.sampled_from(PAUSABLE), seconds=st.sampled_from([None, 0.2, 1.0, 8.0, 40.0]))
    def pause(self, paused: tuple[PauseKind, str], seconds: float | None) -> None:
        change = self._run(self.queue.pauses.pause(*paused, "why", "ann", seconds))
        assert change.changed
        self.ledger.paused[paused] = change.until_ms

    @rule(paused=st.sampled_from(PAUSABLE))
    def unpause(self, paused: tuple[PauseKind, str]) -> None:
        self._run(self.queue.pauses.unpause(*paused, "ann"))
        self.ledger.paused.pop(paused, None)

    @rule(pick=picks, letter=st.booleans(), times=st.integers(1, 2))
    def finish(self, pick: int, letter: bool, times: int) -> None:
        if (lease := self._pick(pick)) is None:
            return
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
        self.ledger.finish(lease)

    @precondition(lambda self: self.ledger.ended)
    @rule(
        pick=picks,
        act=st.sampled_from(["finish", "retry", "defer", "give_back", "reassign", "crash", "store", "heartbeat"]),
    )
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
                self._run(self.queue.consumer.reassign(lease, ContextKey("", None, *VALUES[0])))
            case "crash":
                self._run(self.queue.consumer.crash(lease, 10, b"{}"))
            case "store":
                assert not self._run(self.queue.consumer.store(lease))
            case _:
                assert lease.token in self._run(self.queue.consumer.heartbeat("w1", [lease])).lost

    @rule(pick=picks)
    def begin(self, pick: int) -> None:
        if (lease := self._pick(pick)) is None:
            return
        self._begin(lease)

    def _begin(self, lease: Lease) -> None:
        assert self._run(self.queue.consumer.begin(lease))
        self.ledger.begin(lease)

    @rule(pick=picks, times=st.integers(1, 2))
    def store(self, pick: int, times: int) -> None:
        """The handler has ended, and artifacts are missing."""
        if (lease := self._pick(pick)) is None:
            return
        for _ in range(times):
            assert self._run(self.queue.consumer.store(lease)), "said twice is said once"
        self.ledger.store(lease)

    @rule(
        pick=picks,
        act=st.sampled_from(["retry", "defer", "give_back", "crash", "reassign"]),
        times=st.integers(1, 2),
        begun=st.booleans(),
        then_expires=st.booleans(),
    )
    def let_go(self, pick: int, act: str, times: int, begun: bool, then_expires: bool) -> None:
        """With `then_expires`, the expiry of every job passes before a worker looks at it again."""
        if (lease := self._pick(pick)) is None:
            return
        if act == "reassign" and lease.token in self.ledger.storing:
            return
        if begun and act != "reassign":
            self.ledger.begin(lease)
        for _ in range(times):
            match act:
                case "retry":
                    done = self._run(self.queue.consumer.retry(lease, 700, b'{"outcome":"failed"}', begun=begun))
                case "defer":
                    done = self._run(self.queue.consumer.defer(lease, 900, "no page", begun=begun))
                case "reassign":
                    done = self._run(
                        self.queue.consumer.reassign(lease, ContextKey("", None, *VALUES[pick % len(VALUES)]))
                    )
                case "crash":
                    done = self._run(self.queue.consumer.crash(lease, 800, b'{"outcome":"lost"}', begun=begun))
                case _:
                    done = self._run(self.queue.consumer.requeue(lease, begun=begun))
            assert done, "said twice is said once"
        self.ledger.close(lease)
        for _ in range(4 if then_expires else 0):
            self.time_passes(10_000)

    @rule(worker=workers)
    def heartbeat(self, worker: str) -> None:
        held = [(*key, self.ledger.profiles[key][1]) for key in self.ledger.held(worker)]
        beat = self._run(self.queue.consumer.heartbeat(worker, self.ledger.leases_of(worker), held))
        assert not beat.lost
        assert not beat.lost_profiles

    @rule(worker=workers, pick=picks)
    def release_profile(self, worker: str, pick: int) -> None:
        """Only where no job of it runs: that is the worker's duty."""
        idle = self.ledger.idle_profiles(worker)
        if idle:
            key = idle[pick % len(idle)]
            assert self._run(self.queue.consumer.release_profile(worker, *key, self.ledger.profiles.pop(key)[1]))

    @rule(job=JOBS, tenant=st.sampled_from(list(TENANT_LIMITS)))
    def cancel(self, job: str, tenant: str) -> None:
        self._cancel(JobRef(tenant, job))

    @rule(pick=picks)
    def cancel_running(self, pick: int) -> None:
        """Most names of `cancel` are of no job, or of one that waits."""
        if (lease := self._pick(pick)) is not None:
            self._cancel(lease.ref)

    def _cancel(self, ref: JobRef) -> None:
        self.ledger.cancel(ref, self._run(self.queue.inspection.cancel(ref)))

    # -- time

    @rule(milliseconds=st.sampled_from([50, 300, 1_500, 10_000]))
    def time_passes(self, milliseconds: int) -> None:
        """Shorter than a lease: `silence` lets leases run out."""
        self._beat_all()
        self._run(self.harness.later(milliseconds))

    @rule(worker=workers)
    def silence(self, worker: str) -> None:
        """One worker is not heard of for longer than a lease; the others beat. Anybody reaps."""
        for _ in range(4):
            self._beat_all(but=worker)
            self._run(self.harness.later(15_000))
        self._beat_all(but=worker)
        reaped = self._run(self.queue.consumer.reap())
        assert reaped.count == len(self.ledger.leases_of(worker))
        self.ledger.lose(worker)

    @rule(pick=picks, first=st.sampled_from(["begin", "cancel"]))
    def lose_worker(self, pick: int, first: str) -> None:
        """The worker of a job is lost just after the job began, or was cancelled."""
        if (lease := self._pick(pick)) is None:
            return
        if first == "cancel":
            self._cancel(lease.ref)
        else:
            self._begin(lease)
        self.silence(self.ledger.holder[lease.token])

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
        assert letter.ref is not None
        self.ledger.dead_retry(letter.ref, self._run(self.queue.dead_letters.retry([letter.id]))[letter.id])

    # -- what always holds

    @invariant()
    def adds_up(self) -> None:
        assert self._run(self.queue.inspection.check_consistency()) == []

    @invariant()
    def results_are_single(self) -> None:
        counted: dict[str, int] = {}
        for result in self._run(self.harness.results()):
            counted[result.decode()] = counted.get(result.decode(), 0) + 1
        assert counted == self.ledger.results

    @invariant()
    def limits_hold(self) -> None:
        self.ledger.check_limits(TENANT_LIMITS, DOMAIN_LIMITS)

    # -- inside

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(coroutine)

    def _now_ms(self) -> int:
        seconds, micros = self._run(self.harness.client.time())
        return int(seconds) * 1000 + int(micros) // 1000 + self.harness.ahead

    def _pick(self, pick: int) -> Lease | None:
        """One that is live. Hypothesis switches some rules off in each run: without those that bring work, there would
        be none. So some work is brought first. None if that may not run now."""
        if not self.ledger.leases:
            self._enqueue(pick, [pick % 21, (pick + 7) % 21], expires=(None, 2_000, 30_000)[pick % 3])
            worker = WORKERS[pick % len(WORKERS)]
            self._claim(worker, self.ledger.capacity(worker, 8, 3, 4))
        live = list(self.ledger.leases.values())
        return live[pick % len(live)] if live else None

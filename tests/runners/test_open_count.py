"""Workers that share the open requests of a host: never more than its limit, and no permit is left unused."""

from collections.abc import Callable
from functools import partial
from math import inf

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from pw_queue.open_counts_model import OpenCountsModel

from pageworker_supervisor.queue.request_counts import LEASE_SECONDS, CountReply
from pageworker_supervisor.runners.open_count import (
    CALL_PAUSE_SECONDS,
    GIVE_BACK_SECONDS,
    RENEW_SECONDS,
    RETRY_SECONDS,
    SPARE_SECONDS,
    CountCall,
    OpenCount,
)

NAMES = ("w1", "w2", "w3")
LONG_ENOUGH_SECONDS = LEASE_SECONDS + 5.0
"""The counts of the dead are over, and each worker that waits has asked many times."""


class CountingWorker:
    """One worker, with calls that reach Redis and replies that come back at a time of their own."""

    def __init__(self, name: str, limit: int, redis: OpenCountsModel) -> None:
        self.name = name
        self.limit: int = limit
        self.count = OpenCount()
        self.waiting = 0
        self.redis = redis
        self.sent: CountCall | None = None
        self.sent_at = 0.0
        self.reply: CountReply | None = None
        self.calls = 0

    def step(self, now: float) -> float:
        """Begin what may begin, send what is due. Returns when to look again."""
        while self.waiting and self.count.begin(self.limit, now):
            self.waiting -= 1
        at = self.count.due_at(self.waiting, self.limit, now)
        if at <= now:
            self.sent, self.sent_at = self.count.call(self.waiting, self.limit, now), now
            self.reply = None
            self.calls += 1
            return inf
        return at

    def arrive(self, now: float) -> None:
        """The call reaches Redis. Perhaps a second time."""
        assert self.sent is not None
        self.reply = self.redis.hold(self.name, limit=self.limit, holds=self.sent.holds, wants=self.sent.wants, now=now)

    def answer(self, now: float) -> None:
        """The reply comes."""
        assert self.sent is not None
        assert self.reply is not None
        self.count.replied(self.sent, self.reply, self.sent_at, now)
        self.sent = self.reply = None

    def lose(self, now: float) -> None:
        """The call or its reply is lost."""
        self.count.failed(now)
        self.sent = self.reply = None


class OpenCountMachine(RuleBasedStateMachine):
    """Workers that come, wait, lose calls and replies, and die."""

    @initialize(limit=st.integers(1, 5))
    def begin(self, limit: int) -> None:
        """All have the same limit."""
        self.now = 1000.0
        self.redis = OpenCountsModel()
        self.limit = limit
        self.limit_lowered_at = -inf
        self.workers = [CountingWorker(name, limit, self.redis) for name in NAMES]

    def _step(self) -> None:
        for worker in self.workers:
            worker.step(self.now)

    @rule(n=st.integers(0, 2), count=st.integers(1, 6))
    def want(self, n: int, count: int) -> None:
        """Requests come."""
        self.workers[n].waiting += count
        self._step()

    @rule(n=st.integers(0, 2))
    def give_up(self, n: int) -> None:
        """The deadline of a waiting request is over."""
        self.workers[n].waiting = max(0, self.workers[n].waiting - 1)

    @rule(n=st.integers(0, 2))
    def end(self, n: int) -> None:
        """A request ends."""
        if self.workers[n].count.open:
            self.workers[n].count.end(self.now)
        self._step()

    @rule(n=st.integers(0, 2))
    def arrive(self, n: int) -> None:
        """A call, perhaps a repeated one, reaches Redis."""
        if self.workers[n].sent is not None:
            self.workers[n].arrive(self.now)

    @rule(n=st.integers(0, 2))
    def answer(self, n: int) -> None:
        """A reply comes."""
        if self.workers[n].reply is not None:
            self.workers[n].answer(self.now)
        self._step()

    @rule(n=st.integers(0, 2))
    def lose(self, n: int) -> None:
        """A call is lost, before or after it reached Redis."""
        if self.workers[n].sent is not None:
            self.workers[n].lose(self.now)

    @rule(n=st.integers(0, 2))
    def die(self, n: int) -> None:
        """A worker dies, and another process with its name begins. Its requests end with it."""
        self.workers[n] = CountingWorker(NAMES[n], self.limit, self.redis)

    @rule(seconds=st.sampled_from([0.01, CALL_PAUSE_SECONDS, 0.1, 1.0, RENEW_SECONDS, 7.0]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds
        self._step()

    @rule(limit=st.integers(1, 5))
    def change_limit(self, limit: int) -> None:
        """What is open already stays open."""
        if limit < self.limit:
            self.limit_lowered_at = self.now
        self.limit = limit
        for worker in self.workers:
            worker.limit = limit

    @precondition(lambda self: self.limit_lowered_at == -inf)
    @invariant()
    def never_more_than_the_limit(self) -> None:
        """A worker that has not reached Redis for long keeps what it has open: that is the only exception.

        After a lower limit, it holds again as soon as all workers have told their counts."""
        counted = sum(
            worker.count.open
            for worker in self.workers
            if self.now < worker.count._valid_until or not worker.count.open
        )
        assert counted <= self.limit

    @rule()
    def nothing_waits_while_permits_are_free(self) -> None:
        """Once all that is open has ended, and calls come through, all permits are used as far as there is work."""
        for worker in self.workers:
            for _ in range(worker.count.open):
                worker.count.end(self.now)
        self._run_for(LONG_ENOUGH_SECONDS)
        demand = sum(worker.count.open + worker.waiting for worker in self.workers)
        opened = sum(worker.count.open for worker in self.workers)
        assert opened >= min(self.limit, demand)
        if opened <= self.limit:
            self.limit_lowered_at = -inf
        assert sum(each.count for each in self.redis.told.values()) >= opened

    def _run_for(self, seconds: float) -> None:
        until = self.now + seconds
        while self.now < until:
            looks = [worker.step(self.now) if worker.sent is None else inf for worker in self.workers]
            busy = [worker for worker in self.workers if worker.sent is not None]
            for worker in busy:
                worker.arrive(self.now)
                worker.answer(self.now)
            if not busy:
                self.now = min(until, max(self.now + 0.001, min(looks)))


OpenCountMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestOpenCountMachine = OpenCountMachine.TestCase


class MovedClock:
    """Times of one test."""

    now = 100.0


def workers(limit: int, count: int = 2) -> list[CountingWorker]:
    redis = OpenCountsModel()
    return [CountingWorker(name, limit, redis) for name in NAMES[:count]]


def run(
    clock: MovedClock, group: list[CountingWorker], seconds: float, busy: Callable[[], None] = lambda: None
) -> None:
    """All calls come through at once. `busy` is called every 10 ms."""
    for _ in range(round(seconds / 0.01)):
        clock.now += 0.01
        busy()
        for worker in group:
            worker.step(clock.now)
            if worker.sent is not None:
                worker.arrive(clock.now)
                worker.answer(clock.now)
                worker.step(clock.now)


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
def test_workers_with_more_work_than_permits_take_turns(limit: int) -> None:
    """Requests of 10 ms: each worker gets its part, though a request that ends leaves its permit to the next."""
    clock, group, served = MovedClock(), workers(limit), {"w1": 0, "w2": 0}

    def busy() -> None:
        for worker in group:
            while worker.count.open:
                worker.count.end(clock.now)
                served[worker.name] += 1
            worker.waiting = 20

    group[0].waiting = 20
    run(clock, group[:1], 3)
    run(clock, group, 20, busy)
    assert min(served.values()) >= 0.3 * sum(served.values()), served
    assert sum(served.values()) >= 0.5 * limit * 20 / 0.01, "permits are used while there is work"


def test_a_permit_serves_one_request_after_the_other_without_a_call() -> None:
    clock, (worker,) = MovedClock(), workers(1, 1)
    worker.waiting = 1000
    run(clock, [worker], 1)
    calls = worker.calls
    for _ in range(100):
        worker.count.end(clock.now)
        worker.step(clock.now)
    assert worker.count.open == 1
    assert worker.calls <= calls + 1


def test_what_is_not_used_is_given_back_soon_if_others_wait_and_later_if_not() -> None:
    clock, (one, other) = MovedClock(), workers(2)
    one.waiting = 2
    run(clock, [one], 1)
    one.count.end(clock.now)
    run(clock, [one], SPARE_SECONDS - 0.5)
    assert one.redis.told["w1"].count == 2
    other.waiting = 1
    run(clock, [one, other], RENEW_SECONDS + GIVE_BACK_SECONDS + 0.3)
    assert other.count.open == 1
    one.count.end(clock.now)
    run(clock, [one, other], SPARE_SECONDS + RENEW_SECONDS)
    assert "w1" not in one.redis.told
    assert one.count.idle


@pytest.mark.parametrize("fate", ["answer", "lose"])
def test_permits_that_are_given_back_are_not_used_while_the_call_is_in_flight(fate: str) -> None:
    """Redis gives them to another worker at once, before the reply is there. A lost reply tells nothing new."""
    clock, (one, other) = MovedClock(), workers(2)
    one.waiting = 2
    run(clock, [one], 1)
    one.count.end(clock.now)
    clock.now += SPARE_SECONDS
    one.step(clock.now)
    assert one.sent == CountCall(holds=1, wants=0)
    one.arrive(clock.now)
    other.waiting = 1
    run(clock, [other], 0.05)
    assert other.count.open == 1, "it has what was given back"
    assert not one.count.begin(one.limit, clock.now), "the call is in flight"
    getattr(one, fate)(clock.now)
    assert not one.count.begin(one.limit, clock.now)
    one.count.end(clock.now)
    assert one.count.begin(one.limit, clock.now), "the permit that it kept"


def test_permits_of_a_worker_that_lost_redis_end_before_redis_forgets_them() -> None:
    clock, (worker,) = MovedClock(), workers(2, 1)
    worker.waiting = 2
    run(clock, [worker], 1)
    told_at = worker.sent_at
    worker.count.end(clock.now)
    assert worker.count.begin(2, told_at + LEASE_SECONDS - 3), "it keeps what it has"
    worker.count.end(told_at + LEASE_SECONDS - 3)
    assert not worker.count.begin(2, told_at + LEASE_SECONDS - 1)


def test_without_a_limit_requests_begin_and_no_call_is_made() -> None:
    count = OpenCount()
    assert [count.begin(None, 1.0) for _ in range(3)] == [True] * 3
    assert count.due_at(0, None, 100.0) == inf
    assert count.due_at(0, 1, 100.0) <= 100.0, "a new limit counts what is open"
    assert count.call(0, 1, 100.0) == CountCall(3, 0)


def test_a_call_that_failed_is_made_again_after_a_while() -> None:
    count = OpenCount()
    call = partial(count.call, 1, 5)
    assert count.due_at(1, 5, 10.0) <= 10.0
    assert call(10.0) == CountCall(0, 1)
    assert count.due_at(1, 5, 10.0) == inf, "one at a time"
    count.failed(10.5)
    assert not count.begin(5, 10.5)
    assert not count.idle, "Redis may have granted one"
    assert count.due_at(0, 5, 10.5) == 10.5 + RETRY_SECONDS


def test_after_a_lower_limit_requests_that_end_leave_their_permits_to_none() -> None:
    clock, group = MovedClock(), workers(6)
    for worker in group:
        worker.waiting = 3
    run(clock, group, 1)
    assert [worker.count.open for worker in group] == [3, 3]
    for worker in group:
        worker.limit = 3
    run(clock, group, RENEW_SECONDS)

    def busy() -> None:
        for worker in group:
            if worker.count.open:
                worker.count.end(clock.now)
            worker.waiting = 3

    run(clock, group, 5, busy)
    assert sum(worker.count.open for worker in group) <= 3

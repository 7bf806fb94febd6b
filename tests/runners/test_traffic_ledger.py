"""What the gateway counts for a runner goes to its jobs: nothing is lost, and nothing is counted twice."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_supervisor.contract.traffic import NO_TRAFFIC, Traffic
from pageworker_supervisor.runners.traffic_ledger import TrafficLedger

KIB = 1024


def counted(number: int) -> Traffic:
    """Counts that grow together, each by another step."""
    return Traffic(number, number * 1000, number * 10)


def test_a_job_alone_gets_all_that_is_counted_while_it_runs() -> None:
    ledger = TrafficLedger()
    ledger.look(counted(1))
    ledger.begin("a")
    ledger.look(counted(5))
    assert ledger.share("a") == counted(4)
    ledger.look(counted(6))
    assert ledger.end("a") == counted(5)
    ledger.look(counted(9))
    assert ledger.unattributed == counted(4), "before and after the job"


def test_jobs_at_the_same_time_share_equally() -> None:
    ledger = TrafficLedger()
    ledger.begin("a")
    ledger.look(Traffic(bytes_in=100))
    ledger.begin("b")
    ledger.look(Traffic(bytes_in=300))
    assert (ledger.end("a"), ledger.share("b")) == (Traffic(bytes_in=200), Traffic(bytes_in=100))
    ledger.look(Traffic(bytes_in=350))
    assert ledger.end("b") == Traffic(bytes_in=150)


def test_what_does_not_divide_evenly_goes_to_another_job_each_time() -> None:
    ledger = TrafficLedger()
    for name in "abc":
        ledger.begin(name)
    for requests in range(1, 31):
        ledger.look(Traffic(requests=requests))
    assert [ledger.end(name).requests for name in "abc"] == [10, 10, 10]


def test_an_attempt_ends_once() -> None:
    """A runner that is dismissed, then answers, then dies ends its attempt three times."""
    ledger = TrafficLedger()
    ledger.begin("a")
    ledger.look(counted(3))
    assert ledger.end("a") == counted(3)
    assert ledger.end("a") == NO_TRAFFIC
    assert ledger.share("a") == NO_TRAFFIC


def test_a_count_that_goes_down_or_is_absurd_takes_nothing_back() -> None:
    """The gateway parses hostile traffic: it may be taken over, and then its counts are anything."""
    ledger = TrafficLedger()
    ledger.begin("a")
    ledger.look(counted(4))
    ledger.look(counted(1))
    assert ledger.look(counted(5)) == counted(1)
    assert ledger.end("a") == counted(5)


@dataclass
class CountedFleet:
    """Runners with their ledgers, and where every count went. `jobs` sums over all attempts of a job, as Redis does."""

    ledgers: dict[int, TrafficLedger] = field(default_factory=dict)
    gateway: dict[int, Traffic] = field(default_factory=dict)
    running: dict[int, tuple[str, int]] = field(default_factory=dict)
    """By job: its attempt and the runner."""
    jobs: dict[int, Traffic] = field(default_factory=dict)
    ended: list[Traffic] = field(default_factory=list)
    """Totals of runners that are gone."""
    unattributed: Traffic = NO_TRAFFIC
    attempts: int = 0

    def use(self, runner: int, amount: Traffic) -> None:
        self.gateway[runner] = self.gateway.get(runner, NO_TRAFFIC) + amount

    def look(self, runner: int) -> TrafficLedger:
        ledger = self.ledgers.setdefault(runner, TrafficLedger())
        ledger.look(self.gateway.get(runner, NO_TRAFFIC))
        return ledger

    def begin(self, job: int, runner: int) -> None:
        if job not in self.running:
            self.attempts += 1
            self.running[job] = (f"attempt-{self.attempts}", runner)
            self.look(runner).begin(self.running[job][0])

    def end(self, job: int) -> None:
        """Its result, or the first part of a retry: the next attempt may be on another runner."""
        if job in self.running:
            attempt, runner = self.running.pop(job)
            self.jobs[job] = self.jobs.get(job, NO_TRAFFIC) + self.look(runner).end(attempt)

    def lose(self, runner: int) -> None:
        """The runner dies, or is recycled: its jobs end, and the next runner counts from 0."""
        for job in [job for job, (_, on) in self.running.items() if on == runner]:
            self.end(job)
        self.unattributed += self.look(runner).unattributed
        self.ended.append(self.gateway.pop(runner, NO_TRAFFIC))
        del self.ledgers[runner]


AMOUNTS = st.builds(Traffic, st.integers(0, 9), st.integers(0, 64 * KIB), st.integers(0, 64 * KIB))
RUNNERS, JOBS = st.integers(0, 2), st.integers(0, 5)
STEPS = st.one_of(
    st.tuples(st.just("use"), RUNNERS, AMOUNTS),
    st.tuples(st.just("look"), RUNNERS),
    st.tuples(st.just("begin"), JOBS, RUNNERS),
    st.tuples(st.just("end"), JOBS),
    st.tuples(st.just("lose"), RUNNERS),
)


@given(st.lists(STEPS, max_size=60))
def test_jobs_and_the_unattributed_rest_together_are_exactly_what_was_counted(steps: list[tuple[object, ...]]) -> None:
    """Across retries, lost runners and recycled ones."""
    fleet = CountedFleet()
    for name, *arguments in steps:
        getattr(fleet, str(name))(*arguments)
    for runner in range(3):
        fleet.lose(runner)
    assert not fleet.running
    assert sum(fleet.jobs.values(), fleet.unattributed) == sum(fleet.ended, NO_TRAFFIC)


@pytest.mark.parametrize("jobs", [1, 2, 3, 7])
@given(amount=AMOUNTS)
def test_shares_differ_by_at_most_one(jobs: int, amount: Traffic) -> None:
    ledger = TrafficLedger()
    for number in range(jobs):
        ledger.begin(str(number))
    ledger.look(amount)
    shares = [ledger.end(str(number)).bytes_in for number in range(jobs)]
    assert max(shares) - min(shares) <= 1
    assert sum(shares) == amount.bytes_in

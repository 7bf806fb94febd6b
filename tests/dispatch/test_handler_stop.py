"""A handler is stopped when it is told to, and at the cut of its egress budget: its attempt ends in any case."""

import asyncio
import time
from typing import Any, Literal

import pytest
from pw_doubles import any_typed
from pw_proxies import policies

from pageworker_sandbox.egress.shared_counts import BudgetName
from pageworker_sandbox.wire import messages as m
from pageworker_supervisor.config.egress_budget import NO_BUDGET, EgressBudget
from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.contract.traffic import NO_TRAFFIC
from pageworker_supervisor.dispatch.handler_stop import CUT_SECONDS, end_past_budget, stop_handler
from pageworker_supervisor.runners.page_reservation import RunnerPages
from pageworker_supervisor.runners.runner_traffic import RunnerTraffic
from pageworker_supervisor.telemetry import log

JOB = JobRef("acme", "17")
GRACE_SECONDS = 3.0


class StoppableRunner:
    """A runner with one attempt, `a`. `answers`: it answers a cancel with what it was told."""

    def __init__(self, *, answers: bool = True) -> None:
        self.context = ContextKey("acme", one_page=True)
        self.told: list[str] = []
        self.kills: list[str] = []
        self.exceeded: BudgetName | None = None
        self.answers = answers
        self.traffic = RunnerTraffic("acme")
        self.traffic.read_from(lambda: (1, 10, 100), lambda: self.exceeded)
        self.pages = RunnerPages(lambda: None, self.traffic)
        self.route = self
        self.page = self.pages.reserve(any_typed(self), exclusive=False)

    async def begin(self, budget: EgressBudget = EgressBudget(bytes=100)) -> None:
        await self.page.begin_route("17/1", policies(), budget, NO_TRAFFIC)
        self.pages.begin("a", self.page, 0, log)

    async def take_turn(self, attempt: str, budget: EgressBudget) -> None:
        """No gateway."""

    async def cancel(self, attempt_id: str, outcome: Literal["timed_out", "cancelled"]) -> None:
        self.told.append(outcome)
        if self.answers:
            self.pages.end(m.Done(attempt_id=attempt_id, outcome=outcome))

    def kill(self, reason: str, *, charged: bool) -> None:
        self.kills.append(reason)

    async def end_past_budget(self, told_to: Literal["timed_out", "cancelled"] | None = None) -> None:
        async with asyncio.timeout(20):
            await end_past_budget(self.page, "a", lambda: told_to, GRACE_SECONDS)

    def refuse(self, budget: BudgetName = "bytes") -> None:
        self.exceeded = budget
        self.traffic.refused()


async def test_a_handler_that_stops_ends_its_attempt() -> None:
    runner = StoppableRunner()
    await runner.begin()
    await stop_handler(runner.page, "a", JOB, "cancelled", GRACE_SECONDS)
    await stop_handler(runner.page, "a", JOB, "timed_out", GRACE_SECONDS)
    assert ((await runner.page.done).outcome, runner.told, runner.kills) == ("cancelled", ["cancelled"], [])


async def test_a_handler_that_does_not_stop_loses_its_runner() -> None:
    runner = StoppableRunner(answers=False)
    await runner.begin()
    await stop_handler(runner.page, "a", JOB, "timed_out", 0.01)
    assert ((await runner.page.done).outcome, runner.kills) == ("timed_out", ["job acme/17 did not stop when told to"])


async def test_the_cut_of_a_budget_stops_the_handler() -> None:
    runner = StoppableRunner()
    await runner.begin()
    async with asyncio.TaskGroup() as tasks:
        ending = tasks.create_task(runner.end_past_budget())
        await asyncio.sleep(0)
        runner.traffic.refused()  # for another reason
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not runner.told
        runner.refuse()
        await ending
    assert (runner.told, (await runner.page.done).outcome) == (["timed_out"], "timed_out")
    assert runner.page.budget_breach is not None
    assert runner.pages.overdue(1.0) is None


async def test_the_attempt_ends_within_a_second_of_the_cut_whatever_its_module_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runner = StoppableRunner(answers=False)
    await runner.begin()
    runner.refuse()
    began = time.monotonic()
    await runner.end_past_budget()
    done = await runner.page.done
    assert CUT_SECONDS <= time.monotonic() - began < 1.0
    assert done.outcome == "timed_out"
    assert done.ran_seconds >= CUT_SECONDS
    # Its runner may still answer, for a while.
    assert (list(runner.pages.running), runner.pages.overdue(1.0), runner.kills) == (["a"], None, [])
    now = time.monotonic()
    monkeypatch.setattr("time.monotonic", lambda: now + GRACE_SECONDS)
    assert runner.pages.overdue(1.0) == "a"
    runner.pages.end(m.Done(attempt_id="a", outcome="succeeded"))
    assert (await runner.page.done) == done
    assert runner.pages.overdue(1.0) is None


async def test_an_attempt_that_is_stopped_already_is_left_to_that() -> None:
    runner = StoppableRunner(answers=False)
    await runner.begin()
    runner.refuse()
    await runner.end_past_budget("cancelled")
    assert (runner.told, runner.page.done.done()) == ([], False)


@pytest.mark.parametrize(
    ("budget", "exceeded"), [(NO_BUDGET, "bytes"), (EgressBudget(requests=1), "bytes")], ids=["none", "another"]
)
async def test_a_budget_that_the_job_does_not_have_ends_nothing(budget: EgressBudget, exceeded: Any) -> None:
    """The gateway may be taken over."""
    runner = StoppableRunner()
    await runner.begin(budget)
    runner.refuse(exceeded)
    assert not runner.page.past_budget
    runner.pages.end(m.Done(attempt_id="a", outcome="succeeded"))
    await runner.end_past_budget()
    assert not runner.told

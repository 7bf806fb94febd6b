"""Which contexts get a spare of a worker, and what a spare that does not start tells."""

from types import SimpleNamespace
from typing import Any

import pytest
from pw_doubles import any_typed

from pageworker_sandbox.egress.errors import InvalidPolicy
from pageworker_sandbox.egress.messages import EgressPolicy
from pageworker_supervisor.audit.decisions import Decisions
from pageworker_supervisor.config.settings import PoolSettings
from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.runners.errors import SpawnFailed
from pageworker_supervisor.runners.runner_state import RunnerState
from pageworker_supervisor.runners.spare_keeper import SpareEffects, SpareKeeper
from pageworker_supervisor.runners.spares import SPARE, Wants
from pageworker_supervisor.runners.start_failure import Blame, StartFailure
from pageworker_supervisor.runners.start_history import HostState
from pageworker_supervisor.runners.start_judge import StartJudge
from pageworker_supervisor.telemetry.metrics import Metrics

ACME = ContextKey("acme")


class Pool:
    """What a keeper asks of its worker, with one spare that is up."""

    def __init__(self) -> None:
        self.pool = PoolSettings(spares=1)
        self.metrics = Metrics()
        self.browsers = SimpleNamespace(flavor=lambda _: "shell")
        self.refuses: Exception | None = None
        spare = SimpleNamespace(runner_id="s", context=SPARE, state=RunnerState.READY, since=1.0)
        self.runners: dict[str, Any] = {"s": spare}
        self.judge = StartJudge("w1", self.metrics, Decisions(), lambda: None)
        self.keeper = SpareKeeper(
            self.runners, self.judge, SpareEffects(lambda: None, lambda: True, lambda: any_typed(self))
        )

    def policy(self, _: ContextKey) -> EgressPolicy:
        if self.refuses is not None:
            raise self.refuses
        return EgressPolicy(hosts=(("shop.test",),))

    def pages(self, _: ContextKey) -> int:
        return 4

    def wants(self, context: ContextKey) -> Wants:
        return Wants(context, "shell", 4, limited=False)


async def test_a_context_gets_the_spare_that_is_up() -> None:
    assert Pool().keeper.choose(ACME) == "s"


@pytest.mark.parametrize("state", [RunnerState.STARTING, RunnerState.RETIRING, RunnerState.STOPPING])
async def test_a_spare_that_comes_up_or_goes_is_given_to_no_context(state: RunnerState) -> None:
    pool = Pool()
    pool.runners["s"].state = state
    assert pool.keeper.choose(ACME) is None


async def test_a_spare_that_was_adopted_is_no_spare_any_more() -> None:
    pool = Pool()
    pool.runners["s"].context = ACME
    assert pool.keeper.choose(ContextKey("other")) is None


@pytest.mark.parametrize("error", [InvalidPolicy("bad"), SpawnFailed("its proxy policy is gone")])
async def test_a_context_without_a_valid_policy_has_a_start_of_its_own_that_fails(error: Exception) -> None:
    pool = Pool()
    pool.refuses = error
    assert pool.keeper.choose(ACME) is None


@pytest.mark.parametrize(
    ("blame", "state", "counted"),
    [
        (Blame.NONE, HostState.WELL, {}),
        (Blame.UNKNOWN, HostState.DOUBTED, {"unknown": 1.0}),
        (Blame.HOST, HostState.CLOSED, {"host": 1.0}),
    ],
)
async def test_a_spare_that_does_not_start_blames_no_tenant(
    blame: Blame, state: HostState, counted: dict[str, float]
) -> None:
    pool = Pool()
    pool.keeper.gone(StartFailure(blame, "it did not come up"))
    history = pool.judge.history
    assert history.host.state is state
    assert (history.broken(), history.until(SPARE), history.careful(ACME, 0.0)) == (0, 0.0, False)
    samples = pool.metrics.registry.get_sample_value
    for label in ("unknown", "host"):
        found = samples("pageworker_runner_start_failures_total", {"blame": label})
        assert (found or None) == counted.get(label)

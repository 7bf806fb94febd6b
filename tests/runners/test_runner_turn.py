"""Whose turn a runner's policy is for."""

from pageworker_supervisor.config.egress_budget import NO_BUDGET, EgressBudget
from pageworker_supervisor.runners.runner_turn import NO_TURN


def test_each_attempt_with_a_budget_has_a_number_of_its_own() -> None:
    """The same attempt may come twice, e.g. after a requeue. What it used between is already taken off its budget."""
    budget = EgressBudget(bytes=10)
    first = NO_TURN.next("j/1", budget)
    again = first.next("j/1", budget)
    assert (first.number, again.number) == (1, 2)


def test_attempts_without_a_budget_change_no_number() -> None:
    turn = NO_TURN.next("j/1", NO_BUDGET).next("j/2", NO_BUDGET)
    assert (turn.attempt, turn.budget, turn.number) == ("j/2", NO_BUDGET, 0)

"""What one attempt has of its runner's way out: its upstream proxies, and its budget. Pure."""

from dataclasses import dataclass

from pageworker_supervisor.config.egress_budget import NO_BUDGET, EgressBudget


@dataclass(frozen=True)
class RunnerTurn:
    """The attempt that was the last to begin on a runner. `attempt`: `JOB/NUMBER`, "" before the first one.

    `number` is another one for each attempt with a budget: with it, the gateway begins a budget anew. Without a budget
    it stays, so that the policy is equal, and the gateway gets no message.
    """

    attempt: str = ""
    budget: EgressBudget = NO_BUDGET
    number: int = 0

    def next(self, attempt: str, budget: EgressBudget) -> "RunnerTurn":
        """The turn of the attempt that begins now. `budget`: what the job may still use."""
        return RunnerTurn(attempt, budget, self.number + bool(budget))


NO_TURN = RunnerTurn()

"""A job that wanted more of the network than its budget. Pure."""

from msgspec import Struct

from pageworker_sandbox.egress.shared_counts import BudgetName
from pageworker_supervisor.config.egress_budget import EgressBudget
from pageworker_supervisor.contract.traffic import Traffic

ERROR_TYPE = "egress_budget"
"""In the result's `error.type`."""


class BudgetBreach(Struct, frozen=True):
    """The job has used `used` of `limit` bytes or requests. What it wanted more was refused, or is not in `used`."""

    budget: BudgetName
    limit: int
    used: int

    @property
    def message(self) -> str:
        """For the result's `error.message`."""
        return (
            f"The job went past its egress budget of {self.limit} {self.budget} (used: {self.used}). Load less, "
            f"or raise the smallest of egress.budget_{self.budget}, egress_budget_{self.budget} of the tenant, and "
            f"budget_{self.budget} in [egress] of module.toml."
        )

    @property
    def detail(self) -> dict[str, int | str]:
        """For the result's `error.detail`."""
        return {"budget": self.budget, "limit": self.limit, "used": self.used}


def budget_breach(exceeded: BudgetName | None, budget: EgressBudget, used: Traffic) -> BudgetBreach | None:
    """`exceeded`: as the gateway says. `used`: of all attempts. None: the job is within its budget."""
    match exceeded:
        case "bytes" if budget.bytes is not None:
            return BudgetBreach("bytes", budget.bytes, used.bytes_in + used.bytes_out)
        case "requests" if budget.requests is not None:
            return BudgetBreach("requests", budget.requests, used.requests)
    return None

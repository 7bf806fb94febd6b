"""Runner slots of a worker with two runners of two pages each."""

from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.runners.placement import PoolRules, RunnerSlot

RULES = PoolRules(runners=2, pages=2, residency_seconds=2.0)


def slot(
    name: str,
    tenant: str,
    *,
    profile: str | None = None,
    taken: int = 0,
    since: float = 0.0,
    is_open: bool = True,
    used: float | None = None,
) -> RunnerSlot:
    """A runner of this tenant that is up."""
    return RunnerSlot(
        name, ContextKey(tenant, profile), RULES.pages, taken, is_open, since, since if used is None else used
    )

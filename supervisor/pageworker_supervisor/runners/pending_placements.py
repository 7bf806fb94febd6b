"""The runner slots that claimed jobs will use which are not placed yet: their modules are still being checked. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import inf

from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.runners.placement import PoolRules, RunnerSlot, Spawn, Use, place


@dataclass(frozen=True)
class PendingPlacement:
    """One job that is claimed and not placed yet. `exclusive`: it must run alone on its runner."""

    context: ContextKey
    exclusive: bool


def with_pending(
    slots: Sequence[RunnerSlot], rules: PoolRules, now: float, pending: Iterable[PendingPlacement]
) -> list[RunnerSlot]:
    """The fleet as it will be when each of these jobs is placed. A claim asks for what fits beside them."""
    expected = list(slots)
    for number, job in enumerate(pending):
        match place(expected, rules, now, job.context, exclusive=job.exclusive):
            case Use(runner_id):
                expected = [
                    replace(slot, taken=slot.taken + 1, open=slot.open and not job.exclusive)
                    if slot.runner_id == runner_id
                    else slot
                    for slot in expected
                ]
            case Spawn(evict):
                coming = RunnerSlot(
                    runner_id=f"?{number}",
                    context=job.context,
                    pages=rules.pages,
                    taken=1,
                    open=not job.exclusive,
                    since=inf,
                    last_used=now,
                )
                expected = [slot for slot in expected if slot.runner_id != evict] + [coming]
    return expected

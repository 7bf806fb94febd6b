"""What leases take that have no place yet: they are claimed, and their modules are being looked at. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import inf

from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.runners.placement import PoolRules, RunnerSlot, Spawn, Use, place


@dataclass(frozen=True)
class Admitting:
    """One such lease."""

    context: ContextKey
    solo: bool


def assume(seats: Sequence[RunnerSlot], rules: PoolRules, now: float, leases: Iterable[Admitting]) -> list[RunnerSlot]:
    """The fleet as it will be when each of these leases has its place. What is claimed meanwhile fits beside them."""
    picture = list(seats)
    for number, lease in enumerate(leases):
        match place(picture, rules, now, lease.context, solo=lease.solo):
            case Use(runner_id):
                picture = [
                    replace(seat, taken=seat.taken + 1, open=seat.open and not lease.solo)
                    if seat.runner_id == runner_id
                    else seat
                    for seat in picture
                ]
            case Spawn(evict):
                coming = RunnerSlot(
                    runner_id=f"?{number}",
                    context=lease.context,
                    pages=rules.pages,
                    taken=1,
                    open=not lease.solo,
                    since=inf,
                    last_used=now,
                )
                picture = [seat for seat in picture if seat.runner_id != evict] + [coming]
    return picture


def other_set(seats: Sequence[RunnerSlot], wanted: ContextKey) -> RunnerSlot | None:
    """The runner that has the wanted profile open with another egress set."""
    if wanted.profile is None:
        return None
    holders = (seat for seat in seats if seat.context.profile == wanted.profile and seat.context != wanted)
    return next(holders, None)


def may_go(seat: RunnerSlot, rules: PoolRules, now: float) -> bool:
    """Whether a runner has had its time: for so long the jobs of one set go on while another set waits."""
    if seat.coming_up:
        return False
    return now >= (seat.replaceable_at(rules) if seat.taken else seat.replaceable_idle_at(rules))

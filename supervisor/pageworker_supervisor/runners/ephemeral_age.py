"""Which runners with an ephemeral context are too old. Pure.

A runner wipes such a context whenever none of its jobs runs. Under steady load that moment never comes, so the age of
the runner bounds how long cookies and storage live.
"""

from collections.abc import Sequence

from pageworker_supervisor.runners.placement import RunnerSlot

EARLY = 0.9
"""Runners that started together would end together. In the last tenth of their time one of them goes at a time."""


def too_old(slots: Sequence[RunnerSlot], most_seconds: float, now: float) -> list[str]:
    """Ids of the runners that take no more jobs from now on. `most_seconds`: `pool.ephemeral_seconds`."""
    ephemeral = [slot for slot in slots if slot.context.profile is None and not slot.coming_up]
    taking = [slot for slot in ephemeral if slot.open]
    old = [slot.runner_id for slot in taking if now - slot.since >= most_seconds]
    if old or len(taking) < len(ephemeral):
        return old
    soon = [slot for slot in taking if now - slot.since >= EARLY * most_seconds]
    return [min(soon, key=lambda slot: slot.since).runner_id] if len(soon) > 1 else []

"""Counts of jobs as they are in Redis, for tests of the decision."""

from pageworker_supervisor.rollouts.rollout_entry import Rollout
from pageworker_supervisor.rollouts.rollout_state import RolloutState


def counts(old: tuple[int, int], new: tuple[int, int], **more: int) -> dict[str, int]:
    """Jobs and failed jobs of each version; `old_blocked=3` and the like."""
    found = {"old.jobs": old[0], "old.failed": old[1], "new.jobs": new[0], "new.failed": new[1]}
    return found | {name.replace("_", ".", 1): number for name, number in more.items()}


def running(started_at_ms: int = 0) -> Rollout:
    """From 1.0.0 to 1.1.0."""
    return Rollout(
        id="r1",
        from_version="1.0.0",
        to_version="1.1.0",
        state=RolloutState.RUNNING,
        percent=20.0,
        who="ann",
        why="",
        started_at_ms=started_at_ms,
        changed_at_ms=started_at_ms,
    )

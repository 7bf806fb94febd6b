"""Decides whether a running rollout is rolled back or promoted, from counts of jobs. Pure.

One probability of error, MOST_ERROR, is divided among five tests. Each pays its e-value times its share; if the sum
reaches 1, the new version is rolled back. The expected sum never exceeds MOST_ERROR while the new version is not
worse, whenever one looks, so a good version is ever rolled back with at most that probability. docs/rollouts.md has the
reasons for the shares.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from pageworker_supervisor.config.rollout_settings import RolloutSettings
from pageworker_supervisor.rollouts.bets import Bets, bet
from pageworker_supervisor.rollouts.bucket_limits import (
    BucketLimit,
    Counts,
    buckets_of,
    hits_of,
    look_at_limits,
    mean_e_value,
)
from pageworker_supervisor.rollouts.first_look import first_look_due, rejects
from pageworker_supervisor.rollouts.rollout_entry import Rollout
from pageworker_supervisor.rollouts.rollout_state import RolloutEvent

FIRST_LOOK_ERROR = 0.0088
FAILURES_ERROR = 0.0005
BLOCKS_ERROR = 0.0002
SECONDS_ERROR = 0.0002
BYTES_ERROR = 0.0001
MOST_ERROR = FIRST_LOOK_ERROR + FAILURES_ERROR + BLOCKS_ERROR + SECONDS_ERROR + BYTES_ERROR

DOUBT = 0.1
"""A rollout with a larger sum is not promoted by itself."""


class DecisionMemory(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the decision about one rollout has seen so far. It is stored in Redis, so that any worker can go on."""

    failures: Bets = Bets()
    blocks: Bets = Bets()
    seconds: tuple[BucketLimit, ...] = ()
    bytes: tuple[BucketLimit, ...] = ()
    first_look: Literal["due", "passed", "rejected"] = "due"


@dataclass(frozen=True)
class RolloutDecision:
    """What to do, and why. `error`: the sum; at 1 or above, the rollout is rolled back. `event` None: it goes on."""

    memory: DecisionMemory
    error: float
    event: RolloutEvent | None
    evidence: str


def decide(
    memory: DecisionMemory, counts: Counts, rollout: Rollout, settings: RolloutSettings, now_ms: int
) -> RolloutDecision:
    """Look at the counts once. Each look is remembered in the memory of the decision."""
    after = _look(memory, counts)
    parts = _parts(after)
    error = sum(parts.values())
    new_jobs = counts.get("new.jobs", 0)
    event = None
    if error >= 1 and new_jobs >= settings.least_jobs:
        event = RolloutEvent.ROLL_BACK if settings.automatic_rollback else None
    elif error < DOUBT and _promotable(rollout, settings, new_jobs, now_ms):
        event = RolloutEvent.PROMOTE
    return RolloutDecision(after, error, event, _evidence(counts, error, parts))


def decode_memory(text: bytes) -> DecisionMemory:
    """The stored memory. Empty: a new one. Raises msgspec.DecodeError."""
    return msgspec.json.decode(text, type=DecisionMemory) if text else DecisionMemory()


def encode_memory(memory: DecisionMemory) -> bytes:
    """The memory as it is stored."""
    return msgspec.json.encode(memory)


def _look(memory: DecisionMemory, counts: Counts) -> DecisionMemory:
    failures = hits_of(counts, "failed")
    first_look = memory.first_look
    if first_look == "due" and first_look_due(failures):
        first_look = "rejected" if rejects(failures, FIRST_LOOK_ERROR) else "passed"
    buckets = buckets_of(counts)
    return replace(
        memory,
        failures=bet(memory.failures, failures),
        blocks=bet(memory.blocks, hits_of(counts, "blocked")),
        seconds=look_at_limits(memory.seconds, buckets["old.seconds"], buckets["new.seconds"]),
        bytes=look_at_limits(memory.bytes, buckets["old.bytes"], buckets["new.bytes"]),
        first_look=first_look,
    )


def _parts(memory: DecisionMemory) -> dict[str, float]:
    return {
        "failures, first look": 1.0 if memory.first_look == "rejected" else 0.0,
        "failures": FAILURES_ERROR * memory.failures.e_value,
        "blocks": BLOCKS_ERROR * memory.blocks.e_value,
        "seconds": SECONDS_ERROR * mean_e_value(memory.seconds),
        "bytes": BYTES_ERROR * mean_e_value(memory.bytes),
    }


def _promotable(rollout: Rollout, settings: RolloutSettings, new_jobs: int, now_ms: int) -> bool:
    seconds = settings.promote_after_seconds
    if seconds is None or new_jobs < settings.promote_after_jobs:
        return False
    return now_ms - rollout.started_at_ms >= seconds * 1000


def _evidence(counts: Counts, error: float, parts: Mapping[str, float]) -> str:
    failed, blocked = hits_of(counts, "failed"), hits_of(counts, "blocked")
    worst = max(parts, key=lambda name: parts[name])
    return (
        f"e-value {error / MOST_ERROR:.3g} (limit {1 / MOST_ERROR:.3g}), mostly {worst}; "
        f"failed {failed.new_hits} of {failed.new_jobs} new, {failed.old_hits} of {failed.old_jobs} old; "
        f"blocked {blocked.new_hits} new, {blocked.old_hits} old"
    )

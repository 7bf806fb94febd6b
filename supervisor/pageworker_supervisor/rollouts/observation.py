"""What is counted of a job of a running rollout when it ends: names of counters in Redis. Pure.

A job counts once, with the version of its last attempt. It has failed if its status is `failed`, `timed_out` or
`dead`, if its version rejected it, or if a runner died under it before. Seconds and bytes are counted of jobs that
succeeded, in buckets, so that versions can be compared at any limit. Memory is not counted: a runner's memory belongs
to all jobs that it has run, not to one version.
"""

import math

from pageworker_supervisor.contract.result import Status
from pageworker_supervisor.rollouts.rollout_entry import Rollout

FAILED = frozenset({"failed", "timed_out", "dead", "rejected"})
UNOBSERVED = frozenset({"cancelled", "expired"})
BUCKETS = 128
LEAST_SECONDS, SECONDS_PER_DOUBLING = 0.01, 8
LEAST_BYTES, BYTES_PER_DOUBLING = 256, 4
"""Buckets per doubling: two of seconds differ by 9 %, two of bytes by 19 %."""


def observed_fields(
    rollout: Rollout, version: str, status: Status, *, crashed: bool, ran_seconds: float, traffic_bytes: int
) -> tuple[str, ...]:
    """The counters that go up by one; empty if the job says nothing about its version."""
    arm = {rollout.from_version: "old", rollout.to_version: "new"}.get(version)
    if arm is None or status in UNOBSERVED:
        return ()
    fields = [f"{arm}.jobs"]
    if status in FAILED or crashed:
        fields.append(f"{arm}.failed")
    if status == "blocked":
        fields.append(f"{arm}.blocked")
    if status == "succeeded":
        fields.append(f"{arm}.seconds.{seconds_bucket(ran_seconds)}")
        fields.append(f"{arm}.bytes.{_bucket(traffic_bytes, LEAST_BYTES, BYTES_PER_DOUBLING)}")
    return tuple(fields)


def seconds_bucket(seconds: float) -> int:
    """The bucket of a duration."""
    return _bucket(seconds, LEAST_SECONDS, SECONDS_PER_DOUBLING)


def _bucket(value: float, least: float, per_doubling: int) -> int:
    return min(BUCKETS - 1, max(0, math.floor(per_doubling * math.log2(max(value, least) / least))))

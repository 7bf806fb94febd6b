"""What is known of each self-check beside its setting in `[checks]`. Pure."""

from typing import Literal

CheckMode = Literal["refuse", "warn", "off"]

PROTECTING: dict[str, str] = {
    "redis_version": "without Redis Functions no job can run",
    "redis_eviction": "Redis would delete jobs and locks in silence",
    "queue_schema": "workers of two schema versions would destroy each other's jobs",
}
"""Checks that protect jobs, and why they cannot be off."""

WATCHED = frozenset(
    {"redis_version", "redis_eviction", "redis_persistence", "redis_replicas", "redis_clock", "data_dir_space"}
)
"""Checks that are repeated while the worker serves. The calls of a worker show by themselves when others fail."""

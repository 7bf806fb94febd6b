"""The two kinds of runner, and the timeouts that suit each."""

from dataclasses import dataclass
from typing import Any, Literal

HEADLESS_SHELL = "/usr/lib/chromium/chromium-headless-shell"

RunnerName = Literal["echo", "chromium"]


@dataclass(frozen=True)
class RunnerKind:
    """One kind. `tenants`: how many tenants the jobs have; `profiles`: per tenant. `settings`: the worker's."""

    runners: RunnerName
    lease_ms: int
    tenants: int
    profiles: int
    settings: dict[str, dict[str, Any]]

    @property
    def lease_seconds(self) -> float:
        """A worker that sends no heartbeat for longer loses its jobs."""
        return self.lease_ms / 1000


ECHO = RunnerKind(
    runners="echo",
    lease_ms=4000,
    tenants=16,
    profiles=6,
    settings={
        "pool": {"runners": 6, "pages": 4, "idle_seconds": 5, "residency_seconds": 0.1, "kill_grace_seconds": 0.5},
        "jobs": {"retry_base_seconds": 0.1, "retry_cap_seconds": 2, "timeout_seconds": 3},
    },
)
CHROMIUM = RunnerKind(
    runners="chromium",
    # A starting browser delays heartbeats by a second or two.
    lease_ms=10_000,
    tenants=5,
    profiles=2,
    settings={
        "pool": {"runners": 2, "pages": 2, "idle_seconds": 5, "residency_seconds": 1.0, "kill_grace_seconds": 2},
        "jobs": {"retry_base_seconds": 0.1, "retry_cap_seconds": 2, "timeout_seconds": 15},
        "browser": {"executable": HEADLESS_SHELL},
    },
)

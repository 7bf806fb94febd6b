"""Who plays the runners, and the pace that suits them."""

from dataclasses import dataclass
from typing import Any, Literal

HEADLESS_SHELL = "/usr/lib/chromium/chromium-headless-shell"

Runners = Literal["echo", "chromium"]


@dataclass(frozen=True)
class Cast:
    """`tenants` and `profiles` of each: how many contexts there are to open. The rest are the worker's settings."""

    runners: Runners
    lease_ms: int
    tenants: int
    profiles: int
    settings: dict[str, dict[str, Any]]

    @property
    def lease_seconds(self) -> float:
        """A worker that was silent for longer has lost its jobs."""
        return self.lease_ms / 1000


ECHO = Cast(
    runners="echo",
    lease_ms=4000,
    tenants=16,
    profiles=6,
    settings={
        "pool": {"runners": 6, "pages": 4, "idle_seconds": 5, "residency_seconds": 0.1, "kill_grace_seconds": 0.5},
        "jobs": {"retry_base_seconds": 0.1, "retry_cap_seconds": 2, "timeout_seconds": 3},
    },
)
CHROMIUM = Cast(
    runners="chromium",
    # Browsers that start take the processors from heartbeats for a second or two.
    lease_ms=10_000,
    tenants=5,
    profiles=2,
    settings={
        "pool": {"runners": 2, "pages": 2, "idle_seconds": 5, "residency_seconds": 1.0, "kill_grace_seconds": 2},
        "jobs": {"retry_base_seconds": 0.1, "retry_cap_seconds": 2, "timeout_seconds": 15},
        "browser": {"executable": HEADLESS_SHELL},
    },
)

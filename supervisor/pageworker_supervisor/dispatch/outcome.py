"""How one attempt went, as the supervisor saw it."""

import datetime as dt
from typing import Literal

import msgspec
from msgspec import Struct

from pageworker_sandbox.wire.messages import Failure, Obstacle
from pageworker_supervisor.contract.result import ArtifactRecord

Ran = Literal["succeeded", "failed", "blocked", "timed_out", "cancelled"]


class Outcome(Struct, frozen=True, kw_only=True):
    """The runner's answer. `data` is JSON; times are seconds."""

    outcome: Ran
    runner_id: str | None
    """None: the job was answered without one."""
    started_at: dt.datetime
    admitted_seconds: float = 0.0
    """From the claim to the handler's first line."""
    ran_seconds: float = 0.0
    data: msgspec.Raw = msgspec.Raw(b"null")
    failure: Failure | None = None
    detail: msgspec.Raw | None = None
    """The failure's detail as JSON."""
    obstacle: Obstacle | None = None
    artifacts: tuple[ArtifactRecord, ...] = ()
    begun: bool = True
    """Whether the handler began: the module may not load, the page may crash before."""

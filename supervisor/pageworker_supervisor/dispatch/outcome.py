"""How one attempt went, as the supervisor saw it. Pure."""

import datetime as dt
import time
from typing import Literal

import msgspec
from msgspec import Struct

from pageworker_sandbox.wire.messages import Done, Failure, Obstacle
from pageworker_supervisor.contract.result import ArtifactRecord
from pageworker_supervisor.runners.limit_breach import Breach
from pageworker_supervisor.runners.sent_attempt import SentAttempt

OutcomeName = Literal["succeeded", "failed", "blocked", "timed_out", "cancelled"]


class NotJson(Exception):
    """The runner sent data that is no MessagePack, or that JSON cannot hold. The runner is to blame: it checks
    first."""


class Outcome(Struct, frozen=True, kw_only=True):
    """The end of an attempt. `data` is JSON; times are seconds."""

    outcome: OutcomeName
    runner_id: str | None
    """None: the job ended without a runner."""
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
    """Whether the handler began. The module may fail to load, and the page may crash before."""


def outcome_of_answer(
    done: Done, outcome: OutcomeName, running: SentAttempt, claimed_at: float, *, begun: bool
) -> Outcome:
    """The runner answered. Raises NotJson. `claimed_at`: monotonic seconds."""
    return Outcome(
        outcome=outcome,
        runner_id=running.page.runner.runner_id,
        started_at=running.started_at,
        admitted_seconds=running.began_at - claimed_at,
        ran_seconds=done.ran_seconds,
        data=json_of(done.data),
        detail=json_of(done.failure.detail) if done.failure else None,
        failure=done.failure,
        obstacle=done.obstacle,
        artifacts=tuple(running.artifacts),
        begun=begun,
    )


def outcome_of_breach(
    breach: Breach, running: SentAttempt, claimed_at: float, *, cancelled: bool, begun: bool
) -> Outcome:
    """The runner was killed because this attempt exceeded a limit. A cancellation that was sent before holds."""
    return Outcome(
        outcome="cancelled" if cancelled else "failed",
        runner_id=running.page.runner.runner_id,
        started_at=running.started_at,
        admitted_seconds=running.began_at - claimed_at,
        ran_seconds=time.monotonic() - running.began_at,
        failure=Failure(type=breach.limit, message=breach.message, retryable=False),
        detail=msgspec.Raw(msgspec.json.encode(breach.detail)),
        artifacts=tuple(running.artifacts),
        begun=begun,
    )


def json_of(untrusted_data: msgspec.Raw) -> msgspec.Raw:
    """A runner's MessagePack as JSON. Raises NotJson."""
    try:
        return msgspec.Raw(msgspec.json.encode(msgspec.msgpack.decode(untrusted_data)))
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise NotJson(str(error)) from error

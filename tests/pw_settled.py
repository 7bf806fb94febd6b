"""A queue that records its calls, and an attempt, for tests of what an attempt tells the queue."""

import datetime as dt
import json
import time
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import msgspec
from pw_leases import new_lease

from pageworker_sandbox.wire.messages import Failure
from pageworker_supervisor.contract.job import Job
from pageworker_supervisor.contract.traffic import Traffic
from pageworker_supervisor.dispatch.begin_guard import OutcomeName
from pageworker_supervisor.dispatch.outcome import Outcome
from pageworker_supervisor.telemetry import log

NOW = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
LEASE = new_lease()
USED = Traffic(requests=3, bytes_in=900, bytes_out=40)
JOB = Job(job_id="j", tenant_id="acme", endpoint_module="shop.product", callback_url="https://n8n.test/x")


class RecordedQueue:
    """Answers True to every call, unless told otherwise, and keeps the calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.answers: list[Any] = []

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def call(*arguments: Any, **more: Any) -> Any:
            self.calls.append((name, arguments, more))
            answer = self.answers.pop(0) if self.answers else True
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call

    async def retry_until_available(self, call: Callable[[], Awaitable[Any]]) -> Any:
        return await call()


def attempt(*, unused: bool = False) -> Any:
    """The first of a job. `unused`: its claim locked a profile that no runner has open."""
    return SimpleNamespace(
        lease=LEASE,
        job=JOB,
        version="1.0.0",
        rollout=None,
        claimed_at=time.monotonic(),
        left_at=None,
        proxy="de/p.test:3128",
        log=log.bind(),
        trace=None,
        traffic=USED,
        steps=(),
        has_unused_profile=unused,
        use=lambda *how: json.dumps(how).encode(),
    )


def outcome(name: OutcomeName, *, retryable: bool = False) -> Outcome:
    """How an attempt ended."""
    failure = Failure(type="boom", message="it broke", retryable=retryable) if name == "failed" else None
    return Outcome(outcome=name, runner_id="w1.1", started_at=NOW, data=msgspec.Raw(b"[1]"), failure=failure)

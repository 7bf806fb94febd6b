"""The result of a job, as n8n and result readers get it. Exactly one per tenant and `job_id`."""

import datetime as dt
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

Status = Literal["succeeded", "failed", "blocked", "timed_out", "rejected", "expired", "cancelled", "dead"]
BlockerKind = Literal["captcha", "challenge", "access_denied", "rate_limited", "login_required", "geo_blocked"]


BlockerActions = dict[str, float | str]
"""What was done after a blocked attempt: `retry`, `cool_profile` and `pause_domain` with their seconds, `proxy` with
the name of the proxy policy of the attempts after it."""


class ResultError(Struct, frozen=True, kw_only=True):
    """Why a job did not succeed. It holds no secret and no path of the host."""

    type: str
    message: str
    retryable: bool
    detail: Any = None


class Blocker(Struct, frozen=True, kw_only=True):
    """What blocked the page, and the evidence for it. `url`: the page's address when the module reported it."""

    kind: BlockerKind
    provider: str | None = None
    evidence: Any = None
    url: str | None = None
    actions: BlockerActions | msgspec.UnsetType = msgspec.UNSET
    """What the policy of the tenant did. Absent: nothing."""


class ArtifactRecord(Struct, frozen=True, kw_only=True):
    """A stored file. `kind` is screenshot, html, console, network, har, trace or a kind of the module; `sha256` is hex.
    `page_url` and `page_status`: of the page when its attempt ended, if that did not succeed; else null."""

    kind: str
    url: str
    sha256: str
    bytes: int
    content_type: str
    page_url: str | None = None
    page_status: int | None = None


class LostArtifact(Struct, frozen=True, kw_only=True):
    """An artifact that was not stored, and why. `type`: a label of the metric `pageworker_artifacts_total`. `message`
    holds no secret and no path of the host."""

    kind: str
    type: str
    message: str
    bytes: int


class BlockedAttempt(Struct, frozen=True, kw_only=True):
    """What blocked one attempt, and what the policy of the tenant did."""

    kind: BlockerKind
    provider: str | None = None
    actions: BlockerActions = {}


class AttemptRecord(Struct, frozen=True, kw_only=True):
    """One attempt to run the job. `attempt` counts from 1. `outcome` is a status or `lost`; `reason` says why another
    attempt followed: its error, or how it was lost, if the worker could tell.

    `proxy`: `POLICY/HOST:PORT`, the upstream proxy that the runner used last; `POLICY/direct` after a permitted
    fall-back; `POLICY` if no request was made; null without a proxy policy.
    """

    attempt: int
    started_at: dt.datetime
    duration_seconds: float
    outcome: str
    worker_id: str
    module_version: str | None = None
    proxy: str | None = None
    reason: str | None = None
    blocker: BlockedAttempt | msgspec.UnsetType = msgspec.UNSET
    """Absent: no site has blocked it, or the tenant has no policy for that."""


class StepRecord(Struct, frozen=True, kw_only=True):
    """A step that the module reported. `number` counts from 1 within its attempt: a gap shows that steps were left out.

    `at`: when it began. `seconds`: how long its block took; null without a block, and for one that did not end.
    `error`: type of the exception that ended its block.
    """

    attempt: int = 0
    number: int
    at: dt.datetime
    text: str
    fields: dict[str, str] = {}
    seconds: float | None = None
    error: str | None = None


class ResultTiming(Struct, frozen=True, kw_only=True):
    """Seconds. `queued`: ready to run and not claimed, before all attempts together. `admitted`: from the last claim to
    the handler. `ran`: in the handlers of all attempts. `total`: from the push, as far as known, to the result; delays
    and the pauses before retries are part of it alone."""

    queued: float = 0.0
    admitted: float = 0.0
    ran: float = 0.0
    total: float = 0.0


class ResultUsage(Struct, frozen=True, kw_only=True):
    """What all attempts together used. `page_seconds`: from each claim to its end, the start of a runner included; the
    same is charged to the tenant's share. The other numbers are counted by the egress gateway while a handler runs:
    requests and tunnels, and bytes from and to the hosts, with heads and TLS. Jobs that run on one runner at the same
    time share them equally."""

    page_seconds: float = 0.0
    requests: int = 0
    bytes_in: int = 0
    bytes_out: int = 0


class Result(Struct, frozen=True, kw_only=True):
    """The one final record of a job."""

    job_id: str
    tenant_id: str
    status: Status
    endpoint_module: str = ""
    profile_id: str | None = None
    trace_id: str | None = None
    meta: Annotated[msgspec.Raw, Meta(extra_json_schema={"type": "object"})] = msgspec.Raw(b"{}")
    data: msgspec.Raw = msgspec.Raw(b"null")
    error: ResultError | None = None
    blocker: Blocker | None = None
    artifacts: tuple[ArtifactRecord, ...] = ()
    artifacts_lost: tuple[LostArtifact, ...] = ()
    """Of the last attempt, as `artifacts`."""
    attempts: tuple[AttemptRecord, ...] = ()
    module_version: str | None = None
    worker_id: str | None = None
    runner_id: str | None = None
    timing: ResultTiming = ResultTiming()
    usage: ResultUsage = ResultUsage()
    steps: tuple[StepRecord, ...] = ()


_encoder = msgspec.json.Encoder()


def encode_result(result: Result) -> bytes:
    """The JSON text, the same for stream, channel, key and callback."""
    return _encoder.encode(result)

"""Is a pushed text a job, and may its tenant push it? Pure: text in, what to do out.

Whether the module exists, allows the tenant and takes the payload is decided at dispatch, by the worker that runs it.
"""

import datetime as dt
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from pageworker_supervisor.config.settings import DomainSettings, Settings, TenantSettings
from pageworker_supervisor.config.tenant_lookup import GlobTable, domain_for
from pageworker_supervisor.contract.callback_url import allowed
from pageworker_supervisor.contract.domain_key import host_of_key
from pageworker_supervisor.contract.errors import ContractError
from pageworker_supervisor.contract.job import (
    MAX_META_BYTES,
    MODULE_REF,
    PROFILE_ID,
    TRACE,
    Job,
    parse_job,
    read_identity,
)
from pageworker_supervisor.contract.job_ref import JobRef
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.contract.result import Result, ResultError, encode_result
from pageworker_supervisor.queue.new_job import NewJob
from pageworker_supervisor.queue.quota_limits import QuotaLimits


@dataclass(frozen=True)
class RejectedText:
    """It is none. `identity` is what it names itself, where that could be read; then its sender has a `result`.

    `callback` is where that result may be sent, if the text names a place that its tenant allows.
    """

    raw: bytes
    type: str
    reason: str
    identity: JobRef | None = None
    result: bytes | None = None
    callback: str | None = None


@dataclass(frozen=True)
class _Complaint:
    """Why not: which field, what was expected, how to mend it."""

    type: str
    field: str
    rule: str
    hint: str

    def __str__(self) -> str:
        where = f"`{self.field}`: " if self.field else ""
        return printable(f"{where}{self.rule}" + (f"; {self.hint}" if self.hint else ""))


class Admission:
    """The decider, with one worker's settings."""

    def __init__(self, settings: Settings, clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)) -> None:
        self._settings = settings
        self._clock = clock
        # No fallback here: a tenant that no key of `tenants` matches is unknown.
        self._tenants: GlobTable[TenantSettings | None] = GlobTable(dict(settings.tenants), None)

    def decide(self, untrusted_text: bytes) -> NewJob | RejectedText:
        """Queue it, or reject it with everything that its sender is to be told."""
        try:
            job = parse_job(untrusted_text)
        except ContractError as broken:
            return self._reject(untrusted_text, _Complaint(broken.type, broken.field, broken.rule, broken.hint))
        tenant = self._tenants.find(job.tenant_id)
        if tenant is None:
            hint = "ask the operator to add it to [tenants]"
            return self._reject(untrusted_text, _Complaint("unknown_tenant", "tenant_id", "is not known here", hint))
        if job.callback_url is not None and (complaint := _callback_complaint(job.callback_url, tenant)):
            return self._reject(untrusted_text, complaint)
        if complaint := _time_complaint(job, self._clock(), self._settings.jobs.max_delay_seconds):
            return self._reject(untrusted_text, complaint)
        return self._new_job(untrusted_text, job, tenant)

    def _new_job(self, body: bytes, job: Job, tenant: TenantSettings) -> NewJob:
        domain = job.domain_key
        return NewJob(
            job_id=job.job_id,
            tenant_id=job.tenant_id,
            priority=job.priority,
            body=body,
            module=(job.module_name, job.module_pin),
            profile_id=job.profile_id,
            domain=domain,
            delay_ms=None if job.delay_seconds is None else math.ceil(job.delay_seconds * 1000),
            not_before_ms=_ms(job.not_before),
            expires_at_ms=_ms(job.expires_at),
            attempts_used=job.retry_count,
            callback=job.callback_url,
            tenant_limits=_limits(tenant, tenant.weight),
            domain_limits=QuotaLimits()
            if domain is None
            else _limits(domain_for(self._settings.domains, host_of_key(domain)), 1.0),
        )

    def _reject(self, untrusted_text: bytes, complaint: _Complaint) -> RejectedText:
        reason = str(complaint)
        identity = read_identity(untrusted_text)
        if identity is None:
            return RejectedText(untrusted_text, complaint.type, reason)
        fields = msgspec.json.decode(untrusted_text, type=dict[str, Any])
        detail = {"field": complaint.field, "rule": complaint.rule, "hint": complaint.hint}
        result = Result(
            job_id=identity.job_id,
            tenant_id=identity.tenant_id,
            status="rejected",
            error=ResultError(type=complaint.type, message=reason, retryable=False, detail=detail),
            **_echo(fields),
        )
        callback = self._callback(fields.get("callback_url"), identity.tenant_id)
        return RejectedText(untrusted_text, complaint.type, reason, identity, encode_result(result), callback)

    def _callback(self, untrusted_url: Any, tenant_id: str) -> str | None:
        tenant = self._tenants.find(tenant_id)
        if tenant is None or not isinstance(untrusted_url, str) or _callback_complaint(untrusted_url, tenant):
            return None
        return untrusted_url


def missing_field(raw: bytes) -> RejectedText:
    """For an entry of the stream that has no field `job`; `raw` is what it has instead, as JSON."""
    complaint = _Complaint("missing_field", "job", "the entry has no such field", "XADD … * job '{…}'")
    return RejectedText(raw, complaint.type, str(complaint))


def _time_complaint(job: Job, now: dt.datetime, most_seconds: float) -> _Complaint | None:
    """A job that comes too late would stay for years: which field says so."""
    due = now + dt.timedelta(seconds=job.delay_seconds or 0)
    if job.not_before is not None:
        due = max(now, job.not_before)
    for field, ahead, than in (
        ("delay_seconds", job.delay_seconds or 0, "ahead"),
        ("not_before", (due - now).total_seconds(), "ahead"),
        ("expires_at", (job.expires_at - due).total_seconds() if job.expires_at else 0, "after the job may run"),
    ):
        if ahead > most_seconds:
            rule = f"is at most {most_seconds:g} seconds {than}, this is {ahead:.0f}"
            return _Complaint("invalid_field", field, rule, "jobs.max_delay_seconds sets the limit")
    return None


def _callback_complaint(url: str, tenant: TenantSettings) -> _Complaint | None:
    if not allowed(url, tenant.callback_allow):
        rule = "is not on the tenant's allow-list"
        return _Complaint("callback_not_allowed", "callback_url", rule, "callback_allow in [tenants] names what is")
    if tenant.callback_secret_file is None:
        rule = "the tenant has no callback secret, so its callbacks could not be signed"
        return _Complaint("callback_not_allowed", "callback_url", rule, "set callback_secret_file in [tenants]")
    return None


def _echo(fields: dict[str, Any]) -> dict[str, Any]:
    """What a result repeats of its job, as far as the text holds it in a form that a job may have."""
    echo = {
        name: fields[name]
        for name, pattern in (("endpoint_module", MODULE_REF), ("profile_id", PROFILE_ID))
        if isinstance(fields.get(name), str) and len(fields[name]) <= 200 and re.match(pattern, fields[name])
    }
    trace = fields.get("trace_id")
    if isinstance(trace, str) and re.match(TRACE, trace):
        echo["trace_id"] = trace if len(trace) == 32 else trace.split("-")[1]
    if isinstance(fields.get("meta"), dict):
        meta = msgspec.json.encode(fields["meta"])
        if len(meta) <= MAX_META_BYTES:
            echo["meta"] = msgspec.Raw(meta)
    return echo


def _limits(settings: TenantSettings | DomainSettings, weight: float) -> QuotaLimits:
    return QuotaLimits(
        weight=weight,
        concurrency=settings.concurrency,
        rate_per_second=settings.rate_per_second,
        burst=settings.burst,
    )


def _ms(instant: dt.datetime | None) -> int | None:
    return None if instant is None else int(instant.timestamp() * 1000)

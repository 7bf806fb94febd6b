"""Decides whether a pushed text is a valid job that its tenant may push. Pure.

Whether the module exists, allows the tenant and accepts the payload is decided at dispatch, by the worker that runs it.
"""

import datetime as dt
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from pageworker_supervisor.config.ingress_settings import IngressSettings
from pageworker_supervisor.config.limit_settings import DomainSettings
from pageworker_supervisor.config.proxy_settings import ProxySettings
from pageworker_supervisor.config.settings import JobSettings, Settings, TenantSettings
from pageworker_supervisor.config.tenant_lookup import GlobTable, domain_for
from pageworker_supervisor.contract.callback_url import allowed
from pageworker_supervisor.contract.errors import ContractError
from pageworker_supervisor.contract.job import (
    JOB_ID,
    MAX_META_BYTES,
    MODULE_REF,
    PROFILE_ID,
    TENANT_ID,
    TRACE,
    Job,
    JobRef,
    host_of_key,
    parse_job,
    read_identity,
    read_identity_at,
)
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.contract.result import Result, ResultError, encode_result
from pageworker_supervisor.contract.text_repair import RepairedText, list_of_texts, repaired
from pageworker_supervisor.intake.queue_refusals import refusal_of
from pageworker_supervisor.proxies.choice import ProxyRefused, choose
from pageworker_supervisor.queue.limits_table import domain_quota, tenant_quota
from pageworker_supervisor.queue.producer import BacklogCap, Enqueued, NewJob, QuotaLimits

UNKNOWN_TENANTS = "*"
"""They have one bound of their stored results together. No tenant has this name."""


@dataclass(frozen=True)
class RejectedText:
    """The text is not a valid job. `type` is the error type, `reason` the message.

    `identity`: tenant and job id of the text, if they could be read; then `result` is the rejection for its sender.
    `callback`: the callback URL of the text, if its tenant allows it. `bound`: with whose results it is kept, see
    JobProducer.reject. `field`: the wrong field, "" for the whole text; `hint`: how to fix it. `tenant`: from whose
    inbox the text came, without `identity`; its dead letter is this tenant's. `batch`: in which it counts as a job that
    was rejected.
    """

    raw: bytes
    type: str
    reason: str
    identity: JobRef | None = None
    result: bytes | None = None
    callback: str | None = None
    bound: str | None = None
    field: str = ""
    hint: str = ""
    tenant: str | None = None
    batch: str | None = None


@dataclass(frozen=True)
class _Violation:
    """Why a text is rejected: the field, what was expected, and how to fix it."""

    type: str
    field: str
    rule: str
    hint: str

    def __str__(self) -> str:
        where = f"`{self.field}`: " if self.field else ""
        return printable(f"{where}{self.rule}" + (f"; {self.hint}" if self.hint else ""))


class Admission:
    """Decides with the settings of one worker."""

    def __init__(
        self,
        tenants: Mapping[str, TenantSettings],
        domains: Mapping[str, DomainSettings],
        jobs: JobSettings,
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
        proxies: Mapping[str, ProxySettings] | None = None,
        ingress: IngressSettings = IngressSettings(),
    ) -> None:
        # Without defaults: a tenant that matches no key of `tenants` is unknown.
        self._tenant_settings = tenants
        self._proxies = proxies or {}
        self._tenants: GlobTable[TenantSettings | None] = GlobTable(dict(tenants), None)
        self._domains = domains
        self._jobs = jobs
        self._clock = clock
        self._require_origin = ingress.require_origin
        self.per_tenant = ingress.per_tenant
        self.inboxes = tuple(name for name in tenants if re.match(TENANT_ID, name)) if ingress.per_tenant else ()
        """Tenants with an inbox of their own: those that the configuration names."""

    @classmethod
    def of(cls, settings: Settings) -> "Admission":
        """With the settings of a worker."""
        return cls(
            settings.tenants, settings.domains, settings.jobs, proxies=settings.proxies, ingress=settings.ingress
        )

    def decide(self, untrusted_text: bytes, origin: str | None = None) -> list[NewJob | RejectedText]:
        """The job to queue, or the rejection with the result for its sender; one for each job of a list.

        `origin`: the tenant from whose inbox the text came. A job that names another one is rejected, and the rejection
        is the origin's: the tenant that the text names learns nothing, and none of its jobs is touched. None: from the
        common inbox.
        """
        if origin is None and self._require_origin:
            # The producer has proved no tenant, so no tenant gets a result.
            rule = "the common inbox is closed"
            hint = "push the job to the inbox of its tenant: PREFIX:inbox:TENANT or PREFIX:jobs:TENANT"
            return [RejectedText(untrusted_text, "origin_required", str(_Violation("", "", rule, hint)))]
        texts = list_of_texts(untrusted_text)
        return [self.decide_one(text, origin) for text in texts] or self._decide_leniently(untrusted_text, origin)

    def _decide_leniently(self, untrusted_text: bytes, origin: str | None) -> list[NewJob | RejectedText]:
        """Read a text once more, where it is not JSON to the letter: see contract/text_repair.py."""
        decision = self.decide_one(untrusted_text, origin)
        if not isinstance(decision, RejectedText) or decision.type != "invalid_json":
            return [decision]
        return [self._decide_repaired(text, origin) for text in repaired(untrusted_text)] or [decision]

    def _decide_repaired(self, text: RepairedText, origin: str | None) -> NewJob | RejectedText:
        if text.bad_number is None:
            return self.decide_one(text.json, origin)
        rule, hint = "is not a number that JSON can hold", "write it as a string, or leave it out"
        return self._reject(text.json, _Violation("invalid_field", text.bad_number, rule, hint), origin)

    def decide_one(self, untrusted_text: bytes, origin: str | None = None) -> NewJob | RejectedText:
        """The same for a text that is one job, read to the letter."""
        try:
            job = parse_job(untrusted_text)
        except ContractError as broken:
            violation = _Violation(broken.type, broken.field, broken.rule, broken.hint)
            return self._reject(untrusted_text, violation, origin)
        if origin is not None and job.tenant_id != origin:
            rule, hint = f"is not {origin}, whose inbox this is", "push the job to the inbox of its tenant"
            return self._reject(untrusted_text, _Violation("tenant_mismatch", "tenant_id", rule, hint), origin)
        tenant = self._tenants.find(job.tenant_id)
        if tenant is None:
            hint = "ask the operator to add it to [tenants]"
            violation = _Violation("unknown_tenant", "tenant_id", "is not known here", hint)
            return self._reject(untrusted_text, violation, origin)
        if job.callback_url is not None and (found := _callback_violation(job.callback_url, tenant)):
            return self._reject(untrusted_text, found, origin)
        if found := _time_violation(job, self._clock(), self._jobs.max_delay_seconds):
            return self._reject(untrusted_text, found, origin)
        if job.proxy is not None:
            # What its module names is checked by the worker that runs the job.
            try:
                choose(job.tenant_id, job.proxy, None, self._tenant_settings, self._proxies)
            except ProxyRefused as refused:
                violation = _Violation(refused.type, "proxy", refused.rule, refused.hint)
                return self._reject(untrusted_text, violation, origin)
        return self._new_job(untrusted_text, job, tenant)

    def _new_job(self, body: bytes, job: Job, tenant: TenantSettings) -> NewJob:
        domain = job.domain_key
        return NewJob(
            job_id=job.job_id,
            tenant_id=job.tenant_id,
            priority=job.priority,
            body=body,
            module=(job.module_name, job.module_pin),
            page=job.page_options(),
            profile_id=job.profile_id,
            trace=job.trace_id,
            proxy_wish=job.proxy,
            domain=domain,
            delay_ms=None if job.delay_seconds is None else math.ceil(job.delay_seconds * 1000),
            not_before_ms=_ms(job.not_before),
            expires_at_ms=_ms(job.expires_at),
            attempts_used=job.retry_count,
            callback=job.callback_url,
            batch_id=job.batch_id,
            tenant_limits=tenant_quota(tenant),
            backlog_cap=BacklogCap(tenant.backlog_jobs, tenant.backlog_bytes),
            domain_limits=QuotaLimits()
            if domain is None
            else domain_quota(domain_for(self._domains, host_of_key(domain))),
        )

    def refused(self, new_job: NewJob, reply: Enqueued) -> RejectedText | None:
        """The rejection of a valid job that the queue did not take; None: it took it."""
        found = refusal_of(new_job, reply)
        if found is None:
            return None
        violation = _Violation(found.type, found.field, found.rule, found.hint)
        rejected = self._reject(new_job.body, violation, None, retryable=found.retryable)
        return rejected if found.counts else replace(rejected, batch=None)

    def callback_refusal(self, url: str, tenant_id: str) -> tuple[str, str, str] | None:
        """Why a callback of this tenant may not go there: error type, rule and hint. None: it may."""
        tenant = self._tenants.find(tenant_id)
        if tenant is None:
            return "unknown_tenant", "is not known here", "ask the operator to add it to [tenants]"
        found = _callback_violation(url, tenant)
        return None if found is None else (found.type, found.rule, found.hint)

    def _reject(
        self, untrusted_text: bytes, violation: _Violation, origin: str | None, *, retryable: bool = False
    ) -> RejectedText:
        reason = str(violation)
        identity = read_identity(untrusted_text) if origin is None else read_identity_at(untrusted_text, origin)
        if identity is None:
            return RejectedText(
                *(untrusted_text, violation.type, reason), field=violation.field, hint=violation.hint, tenant=origin
            )
        fields = msgspec.json.decode(untrusted_text, type=dict[str, Any])
        detail = {"field": violation.field, "rule": violation.rule, "hint": violation.hint}
        result = Result(
            job_id=identity.job_id,
            tenant_id=identity.tenant_id,
            status="rejected",
            error=ResultError(type=violation.type, message=reason, retryable=retryable, detail=detail),
            **_echo(fields),
        )
        callback = self._callback(fields.get("callback_url"), identity.tenant_id)
        # Names of unknown tenants cost nothing to make up.
        bound = None if self._tenants.find(identity.tenant_id) is not None else UNKNOWN_TENANTS
        return RejectedText(
            untrusted_text,
            violation.type,
            reason,
            identity,
            encode_result(result),
            callback,
            bound,
            field=violation.field,
            hint=violation.hint,
            batch=_batch(fields.get("batch_id")),
        )

    def _callback(self, untrusted_url: Any, tenant_id: str) -> str | None:
        tenant = self._tenants.find(tenant_id)
        if tenant is None or not isinstance(untrusted_url, str) or _callback_violation(untrusted_url, tenant):
            return None
        return untrusted_url


def missing_field(raw: bytes, origin: str | None = None) -> RejectedText:
    """The rejection of a stream entry without the field `job`. `raw`: the fields that it has, as JSON.

    `origin`: the tenant whose stream it is.
    """
    violation = _Violation("missing_field", "job", "the stream entry has no such field", "XADD … * job '{…}'")
    return RejectedText(raw, violation.type, str(violation), tenant=origin)


def _time_violation(job: Job, now: dt.datetime, most_seconds: float) -> _Violation | None:
    """The field whose time is too far ahead: such a job would stay in the queue for years."""
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
            return _Violation("invalid_field", field, rule, "jobs.max_delay_seconds sets the limit")
    return None


def _callback_violation(url: str, tenant: TenantSettings) -> _Violation | None:
    if not allowed(url, tenant.callback_allow):
        rule = "is not on the tenant's allow-list"
        return _Violation("callback_not_allowed", "callback_url", rule, "callback_allow in [tenants] names what is")
    if tenant.callback_secret_file is None and tenant.callback_secret is None:
        rule = "the tenant has no callback secret, so its callbacks could not be signed"
        return _Violation(
            "callback_not_allowed", "callback_url", rule, "set callback_secret or callback_secret_file in [tenants]"
        )
    return None


def _batch(untrusted_id: object) -> str | None:
    return untrusted_id if isinstance(untrusted_id, str) and re.match(JOB_ID, untrusted_id) else None


def _echo(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields that a result repeats, if the text has them in a valid form."""
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


def _ms(instant: dt.datetime | None) -> int | None:
    return None if instant is None else int(instant.timestamp() * 1000)

"""A job on its way into the queue, and its form in a request."""

import hashlib
from typing import Literal

from msgspec import Struct

from pageworker_supervisor.contract.context_key import NO_EGRESS, ContextKey
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.queue.messagepack import opaque
from pageworker_supervisor.queue.quota_limits import QuotaLimits, limits_text, share_of

Priority = Literal["high", "normal", "low"]
LETTER_OF: dict[Priority, str] = {"high": "h", "normal": "m", "low": "l"}
PRIORITY_OF: dict[str, Priority] = {"h": "high", "m": "normal", "l": "low"}
NO_DOMAIN = "-"


class NewJob(Struct, frozen=True, kw_only=True):
    """One job to be queued. `body` is the job's JSON, opaque to the queue. Instants are milliseconds since the
    epoch."""

    job_id: str
    tenant_id: str
    priority: Priority = "normal"
    body: bytes
    module: tuple[str, str | None] = ("", None)
    """Name and pinned version, as the job names it. The queue does not use it."""
    profile_id: str | None = None
    egress: str = NO_EGRESS
    """`egress_digest` of its module's hosts, as far as it is known here. The worker that runs the job looks again."""
    domain: str | None = None
    delay_ms: int | None = None
    not_before_ms: int | None = None
    expires_at_ms: int | None = None
    attempts_used: int = 0
    waited_ms: int = 0
    """How long it was on its way into the queue, as far as that is known."""
    tenant_limits: QuotaLimits = QuotaLimits()
    domain_limits: QuotaLimits = QuotaLimits()
    callback: str | None = None
    """URL that gets the stored result if the job has ended already. Allowed for the tenant."""

    @property
    def ref(self) -> JobRef:
        """The job's reference."""
        return JobRef(self.tenant_id, self.job_id)

    def request(self, shards: int, reading: str) -> dict[str, object]:
        """The job as `enqueue` in queue/lua/fn_enqueue.lua reads it. `reading`: see `push_text`."""
        domain_limits = share_of(self.domain_limits, shards)
        return self.request_with(limits_text(self.tenant_limits), limits_text(domain_limits), reading)

    def request_with(self, tenant_limits: str, domain_limits: str, reading: str) -> dict[str, object]:
        """The same with limits in the form that they have in Redis, in place of those of this object."""
        return {
            "ref": str(self.ref),
            "tenant": self.tenant_id,
            "priority": LETTER_OF[self.priority],
            "context": ContextKey(self.tenant_id, self.profile_id, self.egress).text,
            "domain": self.domain or NO_DOMAIN,
            "delay_ms": self.delay_ms,
            "not_before_ms": self.not_before_ms,
            "expires_at_ms": self.expires_at_ms,
            "attempts_used": self.attempts_used,
            "waited_ms": self.waited_ms,
            "tenant_limits": tenant_limits,
            "domain_limits": domain_limits,
            "body": opaque(self.body),
            "push": push_text(self.body, reading),
            "callback_url": self.callback,
        }


def push_text(text: bytes, reading: str) -> str:
    """A push, as the functions know it. `reading` is '' where the text may have been read before."""
    return f"{hashlib.blake2b(text, digest_size=12).hexdigest()}:{reading}"

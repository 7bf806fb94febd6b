"""The producer's part of the queue: jobs and texts come in."""

import asyncio
import datetime as dt
import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal, cast

import msgspec
from msgspec import Struct

from pageworker_sandbox.flavor import FlavorWish
from pageworker_sandbox.wire.page_options import PageOptions
from pageworker_supervisor.config.live import Live
from pageworker_supervisor.contract.context_key import NO_EGRESS, ContextKey
from pageworker_supervisor.contract.isolation import TENANT_ISOLATION, Isolation
from pageworker_supervisor.contract.job import JobRef, Priority
from pageworker_supervisor.queue.functions import Shards, batches, opaque
from pageworker_supervisor.queue.options import QueueOptions
from pageworker_supervisor.queue.outbox import Outbox
from pageworker_supervisor.queue.retention import retention_request

JOBS_PER_CALL = 64
DIGESTED_INLINE_BYTES = 1024 * 1024
NO_LIMITS = "1 1000 0 100"
"""The text of the defaults, as in queue/lua/limits.lua."""
LETTER_OF: dict[Priority, str] = {"high": "h", "normal": "m", "low": "l"}
PRIORITY_OF: dict[str, Priority] = {"h": "high", "m": "normal", "l": "low"}
NO_DOMAIN = "-"
PROMISED = 2
"""What `reject` replies where a subscription or a batch has an entry in the outbox."""

Enqueued = Literal["queued", "duplicate", "full", "batch_unknown", "batch_closed", "batch_full"]
"""`full`: its tenant has as many jobs as it may have. `batch_…`: its batch does not take it. After these four, nothing
of the job is stored."""
REFUSED: frozenset[bytes] = frozenset({b"full", b"batch_unknown", b"batch_closed", b"batch_full"})


class QuotaLimits(Struct, frozen=True):
    """What a tenant or a domain may use: jobs at once and jobs per second. `weight` counts for tenants only."""

    weight: float = 1.0
    concurrency: int = 1000
    rate_per_second: float | None = None
    burst: int = 100


class BacklogCap(Struct, frozen=True):
    """The most jobs without a result that a tenant may have, and the most bytes that their JSON may be."""

    jobs: int = 1_000_000
    bytes: int = 1024**3


@lru_cache(1024)
def limits_text(limits: QuotaLimits) -> str:
    """The form in Redis: weight, concurrency, rate (0: none), burst."""
    return f"{limits.weight:g} {limits.concurrency} {limits.rate_per_second or 0:g} {limits.burst}"


def share_of(limits: QuotaLimits, shards: int) -> QuotaLimits:
    """A domain's limits on one of several shards. The sum is never above the whole, unless shards outnumber it."""
    if shards == 1:
        return limits
    rate = limits.rate_per_second
    return QuotaLimits(
        weight=limits.weight,
        concurrency=max(1, limits.concurrency // shards),
        rate_per_second=None if rate is None else rate / shards,
        burst=max(1, limits.burst // shards),
    )


class NewJob(Struct, frozen=True, kw_only=True):
    """One job to be queued. `body` is the job's JSON, opaque to the queue. Instants are milliseconds since the
    epoch."""

    job_id: str
    tenant_id: str
    priority: Priority = "normal"
    body: bytes
    module: tuple[str, str | None] = ("", None)
    """Name and pinned version, as the job names it. The queue counts the name against its limits."""
    page: PageOptions = PageOptions()
    """The job's own options of its browser context. The queue does not use them."""
    profile_id: str | None = None
    egress: str = NO_EGRESS
    """`egress_digest` of its module's hosts, as far as it is known here. The worker that runs the job looks again."""
    options: str = ""
    """Digest of the options of its browser context, as far as they are known here."""
    flavor: FlavorWish = "auto"
    """Of the browser that its module asks for, as far as that is known here."""
    trace: str | None = None
    """`trace_id` of the job, as it was pushed. The queue does not use it."""
    proxy_wish: str | None = None
    """`proxy` of the job. The queue does not use it."""
    proxy: str = ""
    """Its proxy policy, as far as that is known here; "" for none."""
    one_page: bool = False
    """Whether it has an egress budget, as far as that is known here."""
    isolation: Isolation = TENANT_ISOLATION
    """As its module asks for, as far as that is known here."""
    domain: str | None = None
    delay_ms: int | None = None
    not_before_ms: int | None = None
    expires_at_ms: int | None = None
    attempts_used: int = 0
    waited_ms: int = 0
    """How long it was on its way into the queue, as far as that is known."""
    tenant_limits: QuotaLimits = QuotaLimits()
    domain_limits: QuotaLimits = QuotaLimits()
    backlog_cap: BacklogCap = BacklogCap()
    callback: str | None = None
    """URL that gets the stored result if the job has ended already. Allowed for the tenant."""
    batch_id: str | None = None

    @property
    def ref(self) -> JobRef:
        """The job's reference."""
        return JobRef(self.tenant_id, self.job_id)

    @property
    def context(self) -> ContextKey:
        """Where it waits."""
        values = self.egress, self.options, self.flavor, self.proxy, self.one_page, self.isolation
        return ContextKey(self.tenant_id, self.profile_id, *values)

    def request(self, shards: int, reading: str) -> dict[str, object]:
        """The job as `enqueue` in queue/lua/fn_enqueue.lua reads it. `reading`: see `push_text`."""
        domain_limits = share_of(self.domain_limits, shards)
        return self.request_with(limits_text(self.tenant_limits), limits_text(domain_limits), reading)

    def request_with(self, tenant_limits: str, domain_limits: str, reading: str) -> dict[str, object]:
        """The same with limits in the form that they have in Redis, in place of those of this object."""
        batch = {} if self.batch_id is None else {"batch": self.batch_id}
        return {
            "ref": str(self.ref),
            "tenant": self.tenant_id,
            "priority": LETTER_OF[self.priority],
            "context": self.context.text,
            "domain": self.domain or NO_DOMAIN,
            "module": self.module[0],
            "delay_ms": self.delay_ms,
            "not_before_ms": self.not_before_ms,
            "expires_at_ms": self.expires_at_ms,
            "attempts_used": self.attempts_used,
            "waited_ms": self.waited_ms,
            "tenant_limits": tenant_limits,
            "domain_limits": domain_limits,
            "most_jobs": self.backlog_cap.jobs,
            "most_bytes": self.backlog_cap.bytes,
            "body": opaque(self.body),
            "push": push_text(self.body, reading),
            "callback_url": self.callback,
            **batch,
        }


def push_text(text: bytes, reading: str) -> str:
    """A push, as the functions know it. `reading` is '' if the text may have been read before."""
    return f"{hashlib.blake2b(text, digest_size=12).hexdigest()}:{reading}"


async def described(raw: bytes, reading: str, kept_bytes: int) -> tuple[str, dict[str, Any]]:
    """The push, and what the dead letter tells of a text that is kept in part. A huge text does not block the loop."""
    if len(raw) <= DIGESTED_INLINE_BYTES:
        return push_text(raw, reading), whole_of(raw, kept_bytes)
    push = await asyncio.to_thread(push_text, raw, reading)
    return push, await asyncio.to_thread(whole_of, raw, kept_bytes)


def whole_of(text: bytes, kept_bytes: int) -> dict[str, Any]:
    """Size and digest of a text before it was cut; nothing if it was not cut."""
    if len(text) <= kept_bytes:
        return {}
    return {"text": {"bytes": len(text), "kept_bytes": kept_bytes, "sha256": hashlib.sha256(text).hexdigest()}}


def rejected_event(ref: JobRef, reason: str) -> bytes:
    """The event that tells its tenant."""
    event = {
        "event": "rejected",
        "job_id": ref.job_id,
        "tenant_id": ref.tenant_id,
        "at": dt.datetime.now(dt.UTC),
        "detail": {"reason": reason},
    }
    return msgspec.json.encode(event)


class JobProducer:
    """Puts jobs into the queue. Every method may be repeated. Raises RedisClientError."""

    def __init__(self, shards: Shards, options: Live[QueueOptions], outbox: Outbox) -> None:
        self._shards = shards
        self._options = options
        self._outbox = outbox

    async def enqueue(self, jobs: Sequence[NewJob], reading: str = "") -> list[Enqueued]:
        """Queue jobs. An id that waits, runs, or has ended within its result's time to live is a duplicate.

        A duplicate of a job that has ended gets the stored result on its own callback. `reading` names this reading of
        the texts where it is certainly their first: a text that may have been read before is not answered again.
        """
        replies: list[Enqueued] = ["duplicate"] * len(jobs)

        async def on(shard: int, indices: Sequence[int]) -> None:
            for batch in batches(indices, JOBS_PER_CALL):
                requests = [jobs[index].request(len(self._shards), reading) for index in batch]
                words = await self._shards.settled_call(shard, "enqueue", jobs=requests)
                for index, word in zip(batch, words, strict=True):
                    if word == b"queued" or word in REFUSED:
                        # mypy does not narrow bytes to the words that were compared with.
                        replies[index] = cast(Enqueued, word.decode())
                    elif word == b"answered":
                        self._outbox.announce()

        await self._shards.by_tenant([job.tenant_id for job in jobs], on)
        return replies

    async def reject(
        self,
        raw: bytes,
        reason: str,
        identity: JobRef | None = None,
        result: bytes | None = None,
        callback: str | None = None,
        reading: str = "",
        *,
        bound: str | None = None,
        tenant: str | None = None,
        batch: str | None = None,
    ) -> bool:
        """Keep a text that is no valid job as a dead letter, and its sender's result if the sender is known.

        `identity`: the job that the text names. True: `result` is now that job's result. False: the sender is not
        known, or the id is used. An id that is not used stays free. `reading` as for `enqueue`.
        `bound`: whose stored results of rejected texts it counts among; None: those of its tenant.
        `tenant`: whose dead letter it is, where the text names no job.
        `batch`: id of the batch in which it counts as a job that was rejected.
        """
        options = self._options.value
        push, told = await described(raw, reading, options.dead_text_bytes)
        request: dict[str, object] = {
            "retention": retention_request(options, cluster=self._shards.functions.cluster),
            "push": push,
            "text": opaque(raw[: options.dead_text_bytes]),
            "reason": "rejected",
            "letter": opaque(msgspec.json.encode({"reason": reason, **told})),
        }
        if identity is None:
            shard = 0 if tenant is None else self._shards.of(tenant)
            await self._shards.settled_call(shard, "reject", **request, tenant=tenant or "")
            return False
        request |= {
            "ref": str(identity),
            "tenant": identity.tenant_id,
            "bound": bound or identity.tenant_id,
            "result": None if result is None else opaque(result),
            "callback_url": callback,
            "event": opaque(rejected_event(identity, reason)),
            **({} if batch is None else {"batch": batch}),
        }
        shard = self._shards.of(identity.tenant_id)
        reply = await self._shards.settled_call(shard, "reject", **request)
        if reply:
            await self._outbox.deliver_stored(shard, push, identity, result or b"", callback)
        if reply == PROMISED:
            self._outbox.announce()
        return bool(reply)

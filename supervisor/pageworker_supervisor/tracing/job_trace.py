"""The spans of one job on this worker: its intake, an attempt with its steps, the whole job, a callback."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from msgspec import Struct

from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.tracing.span import Span, SpanKind, Value
from pageworker_supervisor.tracing.trace_context import (
    caller_of,
    is_sampled,
    job_span_id,
    new_span_id,
    traceparent,
)

PutSpan = Callable[[Span], None]


class ModuleSpan(Struct, frozen=True, kw_only=True):
    """A span of a runner, checked and masked. `parent`: place of its parent in the list; None: the handler.

    Times are seconds since the handler began.
    """

    name: str
    began_seconds: float
    seconds: float
    parent: int | None = None
    attributes: dict[str, str] = {}
    error: str | None = None


def operation(name: str, type_: str) -> dict[str, Value]:
    """An operation on a message, by the semantic conventions for messaging. The name is ours, the type is theirs."""
    return {"messaging.operation.name": name, "messaging.operation.type": type_}


class Tracer:
    """Makes the spans of sampled jobs, and passes each on once it is over."""

    def __init__(self, put: PutSpan, sample_ratio: float, queue: str) -> None:
        """`queue`: what names it, the prefix of its Redis keys."""
        self._put = put
        self._sample_ratio = sample_ratio
        self._queue = queue

    def use(self, sample_ratio: float) -> None:
        """Sample this share of the jobs whose caller does not say, from now on."""
        self._sample_ratio = sample_ratio

    def job(self, ref: JobRef, trace_id: str, trace: str | None, module: str) -> "JobSpans | None":
        """The trace of a job; None if it is not sampled. `trace`: the `trace_id` of the job as it was pushed."""
        caller = caller_of(trace)
        if not is_sampled(trace_id, caller, self._sample_ratio):
            return None
        return JobSpans(self._put, ref, trace_id, caller.span_id if caller else None, module, self._queue)


class JobSpans:
    """A sampled job. Times are monotonic seconds."""

    def __init__(
        self, put: PutSpan, ref: JobRef, trace_id: str, caller_id: str | None, module: str, queue: str
    ) -> None:
        """`caller_id`: span id of the producer's span. `module`: "" if that is not known."""
        self.caller_id = caller_id
        self.trace_id = trace_id
        self.span_id = job_span_id(trace_id, ref)
        """Of the whole job."""
        self._put = put
        self._module = module
        # Once, so that the spans of this worker fit each other even if the clock is set meanwhile.
        self._epoch_ns = time.time_ns() - time.monotonic_ns()
        self._about: dict[str, Value] = {
            "messaging.system": "redis",
            "messaging.destination.name": queue,
            "messaging.message.id": str(ref),
            "pageworker.tenant": ref.tenant_id,
        }
        if module:
            self._about["pageworker.module"] = module

    def intake(self, began: float, reply: str) -> None:
        """A text with the job was read at `began`, and the queue has answered with `reply`."""
        about: dict[str, Value] = {"pageworker.intake": reply, **operation("intake", "receive")}
        self.add("intake", began, None, parent_id=self.span_id, kind=SpanKind.CONSUMER, about=about)

    def attempt(self, number: int, claimed_at: float) -> "AttemptTrace":
        """An attempt begins: it was claimed at `claimed_at`."""
        return AttemptTrace(self, number, claimed_at)

    def ended(self, status: str, pushed_at: float, error: str | None) -> None:
        """The job, which was pushed at `pushed_at`, has its result."""
        about: dict[str, Value] = {"pageworker.status": status, **operation("job", "process")}
        self.add(
            f"job {self._module}".rstrip(),
            pushed_at,
            None,
            span_id=self.span_id,
            parent_id=self.caller_id,
            kind=SpanKind.CONSUMER,
            about=about,
            error=error,
        )

    def callback(self) -> "CallbackTrace":
        """One POST of the result begins."""
        return CallbackTrace(self)

    def add(
        self,
        name: str,
        began: float,
        ended: float | None,
        *,
        parent_id: str | None,
        span_id: str | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        about: Mapping[str, Value] | None = None,
        error: str | None = None,
        link_id: str | None = None,
    ) -> None:
        """Pass a span on. `ended`: None for now. `span_id`: None for a new one."""
        self._put(
            Span(
                name=name,
                trace_id=self.trace_id,
                span_id=span_id or new_span_id(),
                parent_id=parent_id,
                start_ns=self._epoch_ns + round(began * 1e9),
                end_ns=self._epoch_ns + (time.monotonic_ns() if ended is None else round(ended * 1e9)),
                kind=kind,
                attributes={**self._about, **about} if about else self._about,
                error=error,
                link_id=link_id,
            )
        )


class AttemptTrace:
    """One attempt of a sampled job. Its steps are children of its own span, which is passed on at its end."""

    def __init__(self, job: JobSpans, number: int, claimed_at: float) -> None:
        self._job = job
        self._number = number
        self._claimed_at = claimed_at
        self._began = self._pushed_at = claimed_at
        self._span_id = new_span_id()
        self._about: dict[str, Value] = {"pageworker.attempt": number}
        self._settled_as = ""
        self._error: str | None = None
        self._ended = False

    def know(self, **about: str | None) -> None:
        """Facts that are known from now on, such as `module_version`."""
        self._about |= {f"pageworker.{name}": value for name, value in about.items() if value is not None}

    def claimed(self, asked_at: float, queued_seconds: float, total_seconds: float) -> None:
        """The job waited `queued_seconds` in the queue, and was pushed `total_seconds` ago, when its claim began at
        `asked_at`.

        Redis measured both a little later, at the claim. So no span of the job begins before the whole job does.
        """
        self._began, self._pushed_at = asked_at, asked_at - total_seconds
        self._job.add("queue wait", asked_at - queued_seconds, asked_at, parent_id=self._job.span_id, about=self._about)
        self._step("claim", asked_at, self._claimed_at, SpanKind.CLIENT, operation("claim", "receive"))

    @contextmanager
    def step(self, name: str, *, kind: SpanKind = SpanKind.INTERNAL, **about: Value) -> Iterator[None]:
        """A step of the attempt, for the block. An error of the block is that of the step."""
        began = time.monotonic()
        try:
            yield
        except BaseException as error:
            self._step(name, began, None, kind, about, error=type(error).__name__)
            raise
        self._step(name, began, None, kind, about)

    def handler(
        self, began: float, outcome: str, error: str | None, spans: Sequence[ModuleSpan] = (), left_out: int = 0
    ) -> None:
        """The handler has ended, which began at `began`. `spans`: those within it; `left_out`: how many more."""
        span_id, now = new_span_id(), time.monotonic()
        about: dict[str, Value] = {"pageworker.outcome": outcome}
        if left_out:
            about["pageworker.spans_left_out"] = left_out
        self._step("handler", began, now, SpanKind.INTERNAL, about, error=error, span_id=span_id)
        ids = [new_span_id() for _ in spans]
        for place, (inner, own_id) in enumerate(zip(spans, ids, strict=True)):
            inner_began = min(now, began + max(0.0, inner.began_seconds))
            parent = inner.parent
            self._job.add(
                inner.name,
                inner_began,
                min(now, inner_began + max(0.0, inner.seconds)),
                span_id=own_id,
                # A parent begins before its children. Without this, spans of a runner could form a circle.
                parent_id=span_id if parent is None or not 0 <= parent < place else ids[parent],
                about=dict(inner.attributes),
                error=inner.error,
            )

    def settled_as(self, how: str, error: str | None = None) -> None:
        """What becomes of the job, in one word, and the type of its error. The first call counts."""
        if not self._settled_as:
            self._settled_as, self._error = how, error

    def job_ended(self, status: str, error: str | None) -> None:
        """The job has its result."""
        self.settled_as("end", error)
        self._job.ended(status, self._pushed_at, error)

    def end(self) -> None:
        """The attempt is over. A second call has no effect."""
        if self._ended:
            return
        self._ended = True
        about: dict[str, Value] = {
            **self._about,
            **operation("attempt", "process"),
            "pageworker.settled": self._settled_as or "lost",
        }
        self._job.add(
            "attempt",
            self._began,
            None,
            span_id=self._span_id,
            parent_id=self._job.span_id,
            kind=SpanKind.CONSUMER,
            about=about,
            error=self._error,
            # Semantic conventions for messaging: who processes a message links to who made it.
            link_id=self._job.caller_id,
        )

    def _step(
        self,
        name: str,
        began: float,
        ended: float | None,
        kind: SpanKind,
        about: Mapping[str, Value],
        *,
        error: str | None = None,
        span_id: str | None = None,
    ) -> None:
        self._job.add(name, began, ended, kind=kind, about=about, error=error, span_id=span_id, parent_id=self._span_id)


class CallbackTrace:
    """One POST of a sampled job's result."""

    def __init__(self, job: JobSpans) -> None:
        self._job = job
        self._span_id = new_span_id()
        self._began = time.monotonic()
        self.traceparent = traceparent(job.trace_id, self._span_id, sampled=True)
        """The header of the POST."""

    def ended(self, host: str, port: int, tries: int, status: int | None, error: str | None) -> None:
        """The receiver answered with `status`, or the POST failed. `tries`: earlier ones."""
        about: dict[str, Value] = {"http.request.method": "POST", "server.address": host, "server.port": port}
        if tries:
            about["http.request.resend_count"] = tries
        if status is not None:
            about["http.response.status_code"] = status
        self._job.add(
            "callback",
            self._began,
            None,
            span_id=self._span_id,
            parent_id=self._job.span_id,
            kind=SpanKind.CLIENT,
            about=about,
            error=error,
        )

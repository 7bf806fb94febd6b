"""The spans of an attempt, where its job is sampled. Where not, each of these does nothing."""

from collections.abc import Awaitable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, TypeVar

from pageworker_sandbox.wire.messages import RunnerSpan
from pageworker_supervisor.contract.job import Job
from pageworker_supervisor.queue.claim import Lease
from pageworker_supervisor.runners.page_reservation import PageReservation
from pageworker_supervisor.secrets.masker import SecretMasker
from pageworker_supervisor.tracing.job_trace import ModuleSpan
from pageworker_supervisor.tracing.trace_context import trace_id_of

if TYPE_CHECKING:
    from pageworker_supervisor.tracing.job_trace import AttemptTrace, Tracer

T = TypeVar("T")

NAVIGATION_ATTRIBUTES = frozenset({"server.address", "url.scheme"})
"""Attributes of the runner's own spans."""

NO_STEP: AbstractContextManager[None] = nullcontext()


def attempt_trace(
    tracer: "Tracer | None", job: Job, lease: Lease, number: int, claimed_at: float, asked_at: float | None
) -> "AttemptTrace | None":
    """The trace of an attempt that was claimed at `claimed_at`; its claim began at `asked_at`. Monotonic seconds."""
    if tracer is None:
        return None
    trace = tracer.job(lease.ref, trace_id_of(job.trace_id, lease.ref), job.trace_id, job.module_name)
    if trace is None:
        return None
    attempt = trace.attempt(number, claimed_at)
    attempt.claimed(claimed_at if asked_at is None else asked_at, lease.queued_seconds, lease.total_seconds)
    return attempt


def step(trace: "AttemptTrace | None", name: str) -> AbstractContextManager[None]:
    """A step of the attempt, for the block."""
    return NO_STEP if trace is None else trace.step(name)


async def stepped(trace: "AttemptTrace | None", name: str, work: Awaitable[T]) -> T:
    """The result of `work`, which is a step of the attempt."""
    with step(trace, name):
        return await work


def settled_as(trace: "AttemptTrace | None", how: str) -> None:
    """What becomes of the job, unless that is known."""
    if trace is not None:
        trace.settled_as(how)


def handler_ended(trace: "AttemptTrace | None", page: PageReservation) -> None:
    """The handler on this page has ended, if it began: with an answer, or with its runner."""
    if trace is None or page.accepted_at is None:
        return
    if not page.done.done() or page.done.exception() is not None:
        trace.handler(page.accepted_at, "lost", "runner_lost")
        return
    done, told = page.done.result(), page.spans
    inner = [module_span(span, page.masker) for span in told.spans] if told is not None else []
    error = done.failure.type if done.failure else None
    trace.handler(page.accepted_at, done.outcome, error, inner, told.left_out if told is not None else 0)


def module_span(span: RunnerSpan, masker: SecretMasker) -> ModuleSpan:
    """A span as the runner sent it, masked. It cannot set attributes of ours."""
    mask = masker.text if masker else str
    return ModuleSpan(
        name=mask(span.name),
        began_seconds=span.began_seconds,
        seconds=span.seconds,
        parent=span.parent,
        attributes={
            name if name in NAVIGATION_ATTRIBUTES else f"module.{mask(name)}": mask(value)
            for name, value in span.attributes.items()
        },
        error=mask(span.error) if span.error is not None else None,
    )

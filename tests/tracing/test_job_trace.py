"""The spans of a job, without an exporter."""

import time

import pytest

from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.tracing.job_trace import AttemptTrace, JobSpans, ModuleSpan, Tracer
from pageworker_supervisor.tracing.span import Span, SpanKind
from pageworker_supervisor.tracing.trace_context import job_span_id

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{CALLER}-01"
REF = JobRef("acme", "j1")
JOB = job_span_id(TRACE, REF)


def traced(spans: list[Span], trace: str | None = PARENT) -> JobSpans:
    job = Tracer(spans.append, 1.0, "pw").job(REF, TRACE, trace, "shop.product")
    assert job is not None
    return job


def attempt(spans: list[Span]) -> AttemptTrace:
    return traced(spans).attempt(2, time.monotonic() - 1.0)


def test_what_is_not_sampled_has_no_trace() -> None:
    tracer = Tracer(lambda _: None, 1.0, "pw")
    assert tracer.job(REF, TRACE, PARENT[:-1] + "0", "m") is None
    tracer.use(0.0)
    assert tracer.job(REF, TRACE, TRACE, "m") is None


def test_the_whole_job_is_a_child_of_the_callers_span_and_parent_of_the_rest() -> None:
    spans: list[Span] = []
    job = traced(spans)
    job.intake(time.monotonic(), "queued")
    job.ended("failed", time.monotonic() - 5, "timeout")
    intake, whole = spans
    assert (whole.name, whole.span_id, whole.parent_id, whole.error) == ("job shop.product", JOB, CALLER, "timeout")
    assert 5e9 <= whole.end_ns - whole.start_ns < 6e9
    assert (intake.parent_id, intake.kind, intake.attributes["pageworker.intake"]) == (JOB, SpanKind.CONSUMER, "queued")
    assert (
        whole.attributes.items()
        >= {
            "messaging.system": "redis",
            "messaging.destination.name": "pw",
            "messaging.message.id": "acme/j1",
            "pageworker.tenant": "acme",
            "pageworker.module": "shop.product",
            "pageworker.status": "failed",
        }.items()
    )


def test_without_a_caller_the_whole_job_is_the_root() -> None:
    spans: list[Span] = []
    traced(spans, TRACE).ended("succeeded", time.monotonic(), None)
    assert spans[0].parent_id is None


def test_the_steps_of_an_attempt_are_its_children() -> None:
    spans: list[Span] = []
    trace = attempt(spans)
    trace.claimed(time.monotonic() - 1.5, 0.25, 7.0)
    with trace.step("module load"):
        pass
    trace.job_ended("succeeded", None)
    trace.end()
    trace.end()
    waited, claim, load, whole, own = spans
    assert [span.name for span in spans] == ["queue wait", "claim", "module load", "job shop.product", "attempt"]
    assert {claim.parent_id, load.parent_id} == {own.span_id}
    assert (waited.parent_id, own.parent_id, own.link_id) == (JOB, JOB, CALLER)
    assert (own.attributes["pageworker.attempt"], own.attributes["pageworker.settled"]) == (2, "end")
    assert claim.start_ns == waited.end_ns == own.start_ns, "an attempt begins with its claim"
    assert claim.end_ns <= load.start_ns <= own.end_ns
    assert (own.start_ns - whole.start_ns) / 1e9 == pytest.approx(7.0)


def test_a_step_that_fails_says_with_which_error() -> None:
    spans: list[Span] = []
    with pytest.raises(KeyError), attempt(spans).step("finish"):
        raise KeyError
    assert spans[0].error == "KeyError"


def test_an_attempt_without_a_settlement_is_lost() -> None:
    spans: list[Span] = []
    trace = attempt(spans)
    trace.end()
    assert spans[0].attributes["pageworker.settled"] == "lost"


def test_the_first_word_of_its_settlement_counts() -> None:
    spans: list[Span] = []
    trace = attempt(spans)
    trace.settled_as("retry", "timeout")
    trace.settled_as("attempt_ended")
    trace.end()
    assert (spans[0].attributes["pageworker.settled"], spans[0].error) == ("retry", "timeout")


def test_spans_of_a_module_form_no_circle() -> None:
    spans: list[Span] = []
    inner = [ModuleSpan(name=f"s{parent}", began_seconds=0.1, seconds=0.1, parent=parent) for parent in (0, 2, 1)]
    attempt(spans).handler(time.monotonic() - 0.5, "succeeded", None, inner)
    handler, own, later, earlier = spans
    assert (own.parent_id, later.parent_id, earlier.parent_id) == (handler.span_id, handler.span_id, later.span_id)


def test_spans_of_a_module_lie_within_its_handler() -> None:
    """They come from the runner, which may say anything of times and parents."""
    spans: list[Span] = []
    trace, began = attempt(spans), time.monotonic() - 0.5
    inner = [
        ModuleSpan(name="login", began_seconds=0.1, seconds=0.2, attributes={"module.step": "1"}),
        ModuleSpan(name="inside", began_seconds=0.15, seconds=0.1, parent=0, error="TimeoutError"),
        ModuleSpan(name="early", began_seconds=-7.0, seconds=1e9, parent=99),
        ModuleSpan(name="late", began_seconds=1e9, seconds=-5.0, parent=-1),
    ]
    trace.handler(began, "succeeded", None, inner)
    handler, login, inside, early, late = spans
    assert [login.parent_id, early.parent_id, late.parent_id] == [handler.span_id] * 3
    assert (inside.parent_id, inside.error) == (login.span_id, "TimeoutError")
    for span in spans:
        assert handler.start_ns <= span.start_ns <= span.end_ns <= handler.end_ns + 1000, span
    assert login.attributes["module.step"] == "1"


def test_a_callback_passes_its_own_span_on() -> None:
    spans: list[Span] = []
    post = traced(spans).callback()
    post.ended("flow.example", 443, 2, 503, None)
    (span,) = spans
    assert post.traceparent == f"00-{TRACE}-{span.span_id}-01"
    assert (span.parent_id, span.kind) == (JOB, SpanKind.CLIENT)
    assert (
        span.attributes.items()
        >= {
            "server.address": "flow.example",
            "server.port": 443,
            "http.request.resend_count": 2,
            "http.response.status_code": 503,
        }.items()
    )

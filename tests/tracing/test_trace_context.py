"""Trace ids, callers and sampling."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased

from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.tracing.trace_context import (
    NO_SPAN,
    NO_TRACE,
    CallerSpan,
    caller_of,
    is_sampled,
    job_span_id,
    new_span_id,
    trace_id_of,
    traceparent,
)

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
REF = JobRef("acme", "j1")


def test_a_traceparent_names_the_callers_span_and_its_decision() -> None:
    assert caller_of(f"00-{TRACE}-{SPAN}-01") == CallerSpan(SPAN, sampled=True)
    assert caller_of(f"00-{TRACE}-{SPAN}-00") == CallerSpan(SPAN, sampled=False)
    assert caller_of(f"00-{TRACE}-{SPAN}-03") == CallerSpan(SPAN, sampled=True), "only the lowest bit counts"


@pytest.mark.parametrize(
    "trace", [None, TRACE, f"ff-{TRACE}-{SPAN}-01", f"00-{NO_TRACE}-{SPAN}-01", f"00-{TRACE}-{NO_SPAN}-01"]
)
def test_without_a_valid_one_there_is_no_caller(trace: str | None) -> None:
    assert caller_of(trace) is None


def test_what_is_passed_on_is_read_again() -> None:
    for sampled in (True, False):
        assert caller_of(traceparent(TRACE, SPAN, sampled=sampled)) == CallerSpan(SPAN, sampled)


def test_a_trace_id_is_the_producers_or_the_same_on_every_worker() -> None:
    assert trace_id_of(TRACE, REF) == trace_id_of(f"00-{TRACE}-{SPAN}-01", REF) == TRACE
    assert trace_id_of(None, REF) == trace_id_of(None, JobRef("acme", "j1"))
    assert trace_id_of(None, REF) != trace_id_of(None, JobRef("acme", "j2"))


def test_the_callers_decision_counts_before_the_share() -> None:
    assert is_sampled(TRACE, CallerSpan(SPAN, sampled=True), 0.0)
    assert not is_sampled(TRACE, CallerSpan(SPAN, sampled=False), 1.0)
    assert not is_sampled(NO_TRACE, None, 1.0)


@given(trace_id=st.integers(1, 2**128 - 1), ratio=st.floats(0, 1))
def test_the_share_is_opentelemetrys(trace_id: int, ratio: float) -> None:
    theirs = TraceIdRatioBased(ratio).should_sample(None, trace_id, "x").decision is Decision.RECORD_AND_SAMPLE
    assert is_sampled(f"{trace_id:032x}", None, ratio) is theirs


def test_the_span_of_a_job_has_an_id_that_follows_from_its_trace_and_name() -> None:
    assert job_span_id(TRACE, REF) == job_span_id(TRACE, JobRef("acme", "j1"))
    assert len({job_span_id(TRACE, REF), job_span_id(TRACE, JobRef("acme", "j2")), job_span_id("1" * 32, REF)}) == 3


def test_ids_are_sixteen_hex_digits() -> None:
    assert all(re.fullmatch("[0-9a-f]{16}", span_id) for span_id in (new_span_id(), job_span_id(TRACE, REF)))

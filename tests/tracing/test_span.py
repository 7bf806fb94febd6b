"""A span as it waits for its export."""

import gc

from pageworker_supervisor.tracing.span import Span, SpanKind


def test_a_waiting_span_costs_the_garbage_collector_nothing() -> None:
    span = Span(name="claim", trace_id="1" * 32, span_id="2" * 16, parent_id=None, start_ns=1, end_ns=2)
    assert (span.kind, span.error, span.link_id) == (SpanKind.INTERNAL, None, None)
    assert not gc.is_tracked(span)

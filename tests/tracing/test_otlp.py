"""Spans as a collector decodes them."""

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pageworker_supervisor.tracing.otlp import KINDS, SpanEncoder
from pageworker_supervisor.tracing.span import Span, SpanKind

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
ENCODER = SpanEncoder({"service.name": "pageworker", "service.version": "1.2", "service.instance.id": "w1"})


def span(**more: object) -> Span:
    values: dict[str, object] = {"name": "claim", "trace_id": TRACE, "span_id": "0" * 15 + "1", "parent_id": None}
    return Span(**{**values, "start_ns": 1_000, "end_ns": 2_000, **more})  # type: ignore[arg-type]  # by its callers


def test_every_part_of_a_span_arrives() -> None:
    one = span(
        parent_id="0" * 15 + "2",
        kind=SpanKind.CLIENT,
        attributes={"text": "ü", "number": 3, "share": 0.5, "yes": True},
        error="timeout",
        link_id="0" * 15 + "3",
    )
    (group,) = ExportTraceServiceRequest.FromString(ENCODER.encode([one])).resource_spans
    assert {pair.key: pair.value.string_value for pair in group.resource.attributes} == {
        "service.name": "pageworker",
        "service.version": "1.2",
        "service.instance.id": "w1",
    }
    (seen,) = group.scope_spans[0].spans
    assert (seen.name, seen.trace_id.hex(), seen.span_id[-1], seen.parent_span_id[-1]) == ("claim", TRACE, 1, 2)
    assert (seen.kind, seen.start_time_unix_nano, seen.end_time_unix_nano) == (3, 1_000, 2_000)
    assert (seen.status.code, seen.status.message) == (2, "timeout")
    assert [link.span_id[-1] for link in seen.links] == [3]
    assert {pair.key for pair in seen.attributes} == {"text", "number", "share", "yes"}


def test_a_span_without_more_is_a_root_without_status() -> None:
    (group,) = ExportTraceServiceRequest.FromString(ENCODER.encode([span()])).resource_spans
    (seen,) = group.scope_spans[0].spans
    assert (seen.parent_span_id, seen.status.code, len(seen.links)) == (b"", 0, 0)


def test_no_span_ends_before_it_begins() -> None:
    (group,) = ExportTraceServiceRequest.FromString(ENCODER.encode([span(end_ns=1)])).resource_spans
    assert group.scope_spans[0].spans[0].end_time_unix_nano == 1_000


def test_times_that_the_protocol_cannot_express_end_no_export() -> None:
    spans = [span(start_ns=-5, end_ns=-1), span(start_ns=-5, end_ns=7), span(start_ns=2**65, end_ns=2**66)]
    (group,) = ExportTraceServiceRequest.FromString(ENCODER.encode(spans)).resource_spans
    times = [(one.start_time_unix_nano, one.end_time_unix_nano) for one in group.scope_spans[0].spans]
    assert times == [(0, 0), (0, 7), (2**64 - 1, 2**64 - 1)]


def test_every_kind_has_a_counterpart() -> None:
    assert set(KINDS) == set(SpanKind)

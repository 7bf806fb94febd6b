"""Encodes spans for OTLP. It imports OpenTelemetry: only a worker that exports spans imports this file."""

from collections.abc import Mapping, Sequence

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, Status, StatusCode, TraceFlags
from opentelemetry.trace import SpanKind as OtelKind

from pageworker_supervisor.tracing.span import Span, SpanKind

KINDS = {SpanKind.INTERNAL: OtelKind.INTERNAL, SpanKind.CLIENT: OtelKind.CLIENT, SpanKind.CONSUMER: OtelKind.CONSUMER}
SAMPLED = TraceFlags(TraceFlags.SAMPLED)


class SpanEncoder:
    """Spans of one worker."""

    def __init__(self, resource: Mapping[str, str]) -> None:
        """`resource`: attributes of the worker, such as `service.name`."""
        self._resource = Resource(dict(resource))
        self._scope = InstrumentationScope("pageworker", resource.get("service.version"))

    def encode(self, spans: Sequence[Span]) -> bytes:
        """The body of an export request: protobuf."""
        body: bytes = encode_spans([self._span(span) for span in spans]).SerializeToString()
        return body

    def _span(self, span: Span) -> ReadableSpan:
        return ReadableSpan(
            span.name,
            context=_context(span.trace_id, span.span_id, remote=False),
            parent=_context(span.trace_id, span.parent_id, remote=True) if span.parent_id else None,
            resource=self._resource,
            attributes=span.attributes,
            links=[Link(_context(span.trace_id, span.link_id, remote=True))] if span.link_id else (),
            kind=KINDS[span.kind],
            status=Status(StatusCode.ERROR, span.error) if span.error is not None else Status(),
            start_time=_instant(span.start_ns),
            # The wall clock may have been set back meanwhile.
            end_time=_instant(max(span.start_ns, span.end_ns)),
            instrumentation_scope=self._scope,
        )


def _instant(ns: int) -> int:
    """Within the 64 bits of the protocol: a job may be said to have waited since before 1970, by clocks that differ."""
    return min(max(0, ns), 2**64 - 1)


def _context(trace_id: str, span_id: str, *, remote: bool) -> SpanContext:
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=remote, trace_flags=SAMPLED)

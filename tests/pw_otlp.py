"""An OTLP/HTTP collector: what a real receiver got, decoded with OpenTelemetry's own protobuf."""

from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from pw_receiver import Receiver


@dataclass(frozen=True)
class SeenSpan:
    """One span. Ids are hex, times nanoseconds."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    start: int
    end: int
    kind: int
    error: str | None
    links: tuple[str, ...]
    worker: str
    attributes: dict[str, Any] = field(hash=False)


def spans(receiver: Receiver) -> list[SeenSpan]:
    """Every span that has arrived, in order."""
    return [span for post in receiver.at("/v1/traces") for span in _decoded(post.body)]


def _decoded(body: bytes) -> list[SeenSpan]:
    request = ExportTraceServiceRequest.FromString(body)
    return [
        SeenSpan(
            name=span.name,
            trace_id=span.trace_id.hex(),
            span_id=span.span_id.hex(),
            parent_id=span.parent_span_id.hex(),
            start=span.start_time_unix_nano,
            end=span.end_time_unix_nano,
            kind=span.kind,
            error=span.status.message if span.status.code == 2 else None,
            links=tuple(link.span_id.hex() for link in span.links),
            worker=_plain(group.resource.attributes)["service.instance.id"],
            attributes=_plain(span.attributes),
        )
        for group in request.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


def _plain(attributes: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in attributes}

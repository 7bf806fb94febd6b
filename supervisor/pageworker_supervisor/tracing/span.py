"""One span, as it waits for its export. Pure."""

from enum import Enum

from msgspec import Struct

Value = str | int | float | bool
"""Of an attribute."""


class SpanKind(Enum):
    """As in OpenTelemetry."""

    INTERNAL = "internal"
    CLIENT = "client"
    CONSUMER = "consumer"


class Span(Struct, frozen=True, kw_only=True, gc=False):
    """A step that is over. Ids are hex; times are nanoseconds since the epoch."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str | None
    start_ns: int
    end_ns: int
    kind: SpanKind = SpanKind.INTERNAL
    attributes: dict[str, Value] = {}
    error: str | None = None
    """Why the step failed, in a few words. None: it did not."""
    link_id: str | None = None
    """Another span of the same trace that caused this one."""

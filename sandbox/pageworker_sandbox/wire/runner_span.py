"""A step within the handler of an attempt, as the runner reports it in the message Spans."""

from typing import Annotated

from msgspec import Meta, Struct

MAX_SPANS = 64
"""Spans of one attempt."""
MAX_SPAN_NAME = 100
"""Characters of its name."""
MAX_SPAN_ATTRIBUTES = 8


class RunnerSpan(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A step within the handler. Times are seconds since the handler began."""

    name: Annotated[str, Meta(min_length=1, max_length=MAX_SPAN_NAME)]
    began_seconds: Annotated[float, Meta(ge=0, le=1e9)]
    seconds: Annotated[float, Meta(ge=0, le=1e9)]
    parent: Annotated[int, Meta(ge=0, lt=MAX_SPANS)] | None = None
    """Place of its parent in the list; None: the handler."""
    attributes: Annotated[
        dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=256)]],
        Meta(max_length=MAX_SPAN_ATTRIBUTES),
    ] = {}
    error: Annotated[str, Meta(max_length=64)] | None = None
    """Type of the exception that ended it."""

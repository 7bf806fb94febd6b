"""A step that a module reports of its work, while it works."""

from typing import Annotated

from msgspec import Meta, field

from pageworker_sandbox.wire.message import Id, Message

MAX_STEPS = 1000
"""Steps that an attempt may report. Each is sent once or twice."""
MAX_STEP_TEXT = 500
"""Characters."""
MAX_STEP_FIELDS = 16
MAX_STEP_VALUE = 256
"""Characters of a field's value."""


class StepReport(Message, frozen=True):
    """A step that the module names. One with a block is sent when it begins, and once more when it has ended."""

    attempt_id: Id
    number: Annotated[int, Meta(ge=1, le=MAX_STEPS)]
    """Counts from 1, in the order in which the steps began."""
    text: Annotated[str, Meta(min_length=1, max_length=MAX_STEP_TEXT)]
    at_seconds: Annotated[float, Meta(ge=0, le=1e9)]
    """When it began, since the handler began."""
    fields: Annotated[
        dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=MAX_STEP_VALUE)]],
        Meta(max_length=MAX_STEP_FIELDS),
    ] = field(default_factory=dict)
    seconds: Annotated[float, Meta(ge=0, le=1e9)] | None = None
    """How long it took. None: it has no block, or its block has not ended."""
    error: Annotated[str, Meta(max_length=64)] | None = None
    """Type of the exception that ended its block."""

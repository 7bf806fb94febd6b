"""A side effect that must not repeat: what a module asks of its record, and what the supervisor answers."""

from typing import Annotated, Literal

from msgspec import Meta

from pageworker_sandbox.wire.message import Id, Message

ONCE_KEY = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}\Z"
MAX_ONCE_VALUE_BYTES = 4096
MAX_ONCE_REQUESTS = 200
"""Requests of one attempt."""
MAX_ONCE_KEYS = 64
"""Records of one job."""

OnceAct = Literal["begin", "done", "drop"]
"""Begin it unless it was begun before; it has happened; it has not happened."""
OnceState = Literal["begun", "done", "unknown", "dropped", "full", "lost"]
"""begun: this request has begun it. unknown: another one has, and nothing says whether it happened. full: the job has
MAX_ONCE_KEYS records. lost: the attempt does not hold the job any more."""
OnceValue = Annotated[bytes, Meta(max_length=MAX_ONCE_VALUE_BYTES)]
"""JSON."""


class OnceRequest(Message, frozen=True):
    """The handler is about to do something, has done it, or has not done it."""

    attempt_id: Id
    number: Annotated[int, Meta(ge=1, le=MAX_ONCE_REQUESTS)]
    key: Annotated[str, Meta(pattern=ONCE_KEY)]
    act: OnceAct
    value: OnceValue | None = None
    """What the module wants to know of it later. Only with `done`."""


class OnceAnswer(Message, frozen=True):
    """The answer to a OnceRequest."""

    attempt_id: Id
    number: int
    state: OnceState
    value: OnceValue | None = None
    """That was stored with `done`."""

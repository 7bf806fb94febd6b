"""A secret that a handler asks for, and what the supervisor answers."""

from typing import Annotated, Literal

from msgspec import Meta

from pageworker_sandbox.wire.message import Id, Message

MAX_SECRET_CHARS = 16_384
MAX_SECRET_REQUESTS = 100
"""Secrets that one attempt may ask for, the same one again included."""
SECRET_NAME = r"^(?=.{1,63}\Z)[a-z][a-z0-9]*(_[a-z0-9]+)*\Z"  # noqa: S105 - a pattern
"""Lower-case words with one `_` between them, so that `TENANT__NAME` can be read in one way only."""


class SecretAnswer(Message, frozen=True):
    """The answer to a SecretRequest. Either `value` or `denied` is set."""

    attempt_id: Id
    number: int
    value: Annotated[str, Meta(max_length=MAX_SECRET_CHARS)] | None = None
    denied: Annotated[str, Meta(max_length=8192)] | None = None
    """Why the job does not get it, as a sentence for the module's author."""


class SecretRequest(Message, frozen=True):
    """The handler asks for a secret by name. Secrets are sent at no other time."""

    attempt_id: Id
    number: int
    name: Annotated[str, Meta(pattern=SECRET_NAME)]
    form: Literal["value", "totp"]
    """`totp`: the one-time password of now. The supervisor computes it, and the seed stays there."""

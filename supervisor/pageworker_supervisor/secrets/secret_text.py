"""Whether the bytes or the text of a backend can be a secret's value. Pure."""

from pageworker_sandbox.wire.messages import MAX_SECRET_CHARS
from pageworker_supervisor.secrets.backend import SecretRef
from pageworker_supervisor.secrets.errors import SecretMissing


def value_of(ref: SecretRef, untrusted_value: object) -> str:
    """The value as text. Raises SecretMissing, without the value."""
    if isinstance(untrusted_value, bytes):
        try:
            untrusted_value = untrusted_value.decode()
        except UnicodeDecodeError as error:
            raise SecretMissing(f"the secret {ref} is not UTF-8 text at byte {error.start}") from None
    if not isinstance(untrusted_value, str):
        kind = type(untrusted_value).__name__
        raise SecretMissing(f"the secret {ref} is no text but of type {kind}: store it as a text")
    if not untrusted_value:
        raise SecretMissing(f"the secret {ref} is empty")
    if len(untrusted_value) > MAX_SECRET_CHARS:
        raise SecretMissing(f"the secret {ref} has {len(untrusted_value)} characters; at most {MAX_SECRET_CHARS} fit")
    if not untrusted_value.isascii():
        try:
            untrusted_value.encode()
        except UnicodeEncodeError:
            raise SecretMissing(f"the secret {ref} holds half of a surrogate pair, which is no character") from None
    return untrusted_value

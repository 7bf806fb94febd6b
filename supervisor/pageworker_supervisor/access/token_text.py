"""The text of an access token, `pw_<token_id>_<secret>`. Pure, but for the random source.

The fixed start lets scanners find a token that was committed by mistake. Only digits and `a` to `f` follow, so that a
double click selects the whole token.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass

ID_BYTES = 8
SECRET_BYTES = 32
_TEXT = re.compile(rf"pw_([0-9a-f]{{{2 * ID_BYTES}}})_[0-9a-f]{{{2 * SECRET_BYTES}}}", re.ASCII)
_ID = re.compile(rf"[0-9a-f]{{{2 * ID_BYTES}}}", re.ASCII)


@dataclass(frozen=True)
class AccessTokenText:
    """A text that has the form of a token. Redis tells whether it is one. No `repr`, so no log, has the secret."""

    token_id: str
    digest: str
    """SHA-256 of the whole text, in hex. The secret has 256 random bits, so a slow hash would add nothing."""


def parse_token(untrusted_text: str) -> AccessTokenText | None:
    """The id and the digest of a token; None for a text of another form."""
    found = _TEXT.fullmatch(untrusted_text)
    return AccessTokenText(found[1], _digest(untrusted_text)) if found else None


def is_token_id(untrusted_text: str) -> bool:
    """Whether a text has the form of a token's id."""
    return _ID.fullmatch(untrusted_text) is not None


def make_token() -> tuple[str, AccessTokenText]:
    """A new token: its text, to be shown once, and what is stored of it."""
    token_id = secrets.token_hex(ID_BYTES)
    text = f"pw_{token_id}_{secrets.token_hex(SECRET_BYTES)}"
    return text, AccessTokenText(token_id, _digest(text))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

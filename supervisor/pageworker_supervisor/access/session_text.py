"""The text of a session of the status page: `pws_<token_id>_<end>_<code>`. Pure.

A session is shorter and permits less than the token that began it: the API accepts no session. Its code is a message
authentication code (RFC 2104) under the digest of the token, which Redis holds (ADR 118). So every process of the API
can check it, nothing is stored, and it ends with the token.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass

from pageworker_supervisor.access.token_text import ID_BYTES

_TEXT = re.compile(rf"pws_([0-9a-f]{{{2 * ID_BYTES}}})_([0-9]{{1,12}})_([0-9a-f]{{64}})", re.ASCII)
PURPOSE = b"pageworker status page session 1"


@dataclass(frozen=True)
class SessionText:
    """A text that has the form of a session. `ends_at`: seconds since the epoch."""

    token_id: str
    ends_at: int
    code: str

    def made_under(self, digest: str) -> bool:
        """Whether the code was made with the token that has this digest. Takes the same time for each answer."""
        return hmac.compare_digest(self.code, _code(self.token_id, self.ends_at, digest))

    def __repr__(self) -> str:
        return f"SessionText({self.token_id}, {self.ends_at})"


def make_session(token_id: str, digest: str, ends_at: int) -> str:
    """The text of a session. `digest`: of the token."""
    return f"pws_{token_id}_{ends_at}_{_code(token_id, ends_at, digest)}"


def parse_session(untrusted_text: str) -> SessionText | None:
    """None for a text of another form."""
    found = _TEXT.fullmatch(untrusted_text)
    return SessionText(found[1], int(found[2]), found[3]) if found else None


def _code(token_id: str, ends_at: int, digest: str) -> str:
    message = b"%b\n%b\n%d" % (PURPOSE, token_id.encode(), ends_at)
    return hmac.new(digest.encode(), message, hashlib.sha256).hexdigest()

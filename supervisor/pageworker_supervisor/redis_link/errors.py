"""What can go wrong between us and Redis, by who can mend it.

What Redis answers is the engine's vocabulary: Unavailable (passes by itself), OutOfMemory (passes when memory is
freed), Refused (a bug, or rights that are missing). Here that is told apart further, for operators.
"""

from redis import exceptions as rx

from pageworker_supervisor.engine.errors import EngineError, OutOfMemory, Refused, Unavailable
from pageworker_supervisor.engine.errors import classify as _classify

__all__ = ["Denied", "EmbeddedUnfit", "EngineError", "OutOfMemory", "Refused", "Unavailable", "classify"]


class Denied(Refused):
    """Redis knows the user not, or not well enough. `mend` says what the operator can do."""

    def __init__(self, text: str, mend: str) -> None:
        super().__init__(f"{text}; {mend}")
        self.mend = mend


class EmbeddedUnfit(OSError):
    """The daemon's own Redis cannot be started here: no program, no port, or the folder is in use."""

    def __init__(self, what: str, mend: str) -> None:
        super().__init__(f"{what}; {mend}")
        self.mend = mend


_MENDS = (
    ("NOAUTH", "give user and password in redis.url: redis://user:password@host"),
    ("WRONGPASS", "check user and password in redis.url; percent-encode @ : / in them"),
    ("NOPERM", "give the user the rights in pageworker.acl (docs/redis.md)"),
)


def classify(error: Exception) -> EngineError:
    """Our word for an error of the client library or the socket."""
    text = str(error)
    for code, mend in _MENDS:
        if text.startswith(code):
            return Denied(text, mend)
    # The second is what a script or a function answers whose caller lacks a right.
    if isinstance(error, (rx.NoPermissionError, rx.AuthorizationError)) or "The user executing the script" in text:
        return Denied(text, _MENDS[2][1])
    if isinstance(error, rx.AuthenticationError):
        # Also what a server without the user, or without a password, answers to AUTH.
        return Denied(text, _MENDS[1][1])
    return _classify(error)

"""What can go wrong between us and Redis, by who can fix it: the queue's vocabulary, and the daemon's own server."""

from pageworker_supervisor.engine.errors import (
    Denied,
    EngineError,
    OutOfMemory,
    Refused,
    RightMissing,
    Unavailable,
    WrongType,
    classify,
)

__all__ = [
    "Denied",
    "EmbeddedUnfit",
    "EngineError",
    "OutOfMemory",
    "Refused",
    "RightMissing",
    "Unavailable",
    "WrongType",
    "classify",
]


class EmbeddedUnfit(OSError):
    """The daemon's own Redis cannot be started here: no program, no port, no space, or the folder is in use."""

    def __init__(self, what: str, mend: str) -> None:
        super().__init__(f"{what}; {mend}")
        self.mend = mend

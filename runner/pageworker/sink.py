"""What helpers write to. The runner has a sink; a unit test of a module may use its own."""

from collections.abc import Mapping
from typing import Literal, Protocol

Level = Literal["debug", "info", "warning", "error"]


class Sink(Protocol):
    """Takes what a handler stores and logs through its helpers."""

    async def artifact(self, kind: str, data: bytes, content_type: str) -> None:
        """Store bytes beside the result. Raises ValueError if a limit is exceeded or an argument is not valid."""

    def log(self, level: Level, message: str, fields: Mapping[str, object]) -> None:
        """Write one line to the worker's log."""

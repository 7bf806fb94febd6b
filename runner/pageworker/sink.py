"""Where helpers put what they are given. The runner has one; a unit test may bring its own."""

from collections.abc import Mapping
from typing import Literal, Protocol

Level = Literal["debug", "info", "warning", "error"]


class Sink(Protocol):
    """The far end of `Helpers`."""

    async def artifact(self, kind: str, data: bytes, content_type: str) -> None:
        """Store bytes beside the result. Raises ValueError where a limit is passed."""

    def log(self, level: Level, message: str, fields: Mapping[str, object]) -> None:
        """Write one line into the worker's log."""

"""Profiles whose last state no snapshot has: it is in the local folder alone, and goes with the disk. Pure."""

import time
from collections.abc import Callable


class UnpublishedProfiles:
    """Remembers since when each waits. `changed` is called with the oldest of these Unix times; None: none waits.

    One that is published at once is in it for as long as that takes.
    """

    def __init__(self, changed: Callable[[float | None], None], clock: Callable[[], float] = time.time) -> None:
        self._changed = changed
        self._clock = clock
        self._since: dict[tuple[str, str], float] = {}

    def add(self, tenant_id: str, profile_id: str) -> None:
        """Its folder is newer than its newest snapshot. One that waits already keeps its time."""
        self._since.setdefault((tenant_id, profile_id), self._clock())
        self._tell()

    def drop(self, tenant_id: str, profile_id: str) -> None:
        """A snapshot has it, or its folder will not be published any more."""
        if self._since.pop((tenant_id, profile_id), None) is not None:
            self._tell()

    def _tell(self) -> None:
        self._changed(min(self._since.values(), default=None))

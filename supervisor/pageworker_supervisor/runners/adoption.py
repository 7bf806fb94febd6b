"""A spare runner that a context adopts: it belongs to its tenant once the gateway and the runner itself say so."""

import asyncio

from pageworker_supervisor.runners.errors import RunnerLost


class Adoption:
    """That of one runner. A runner that was started for its context has none, so it never waits here."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        """Set when a context has adopted the runner."""
        self._settled: asyncio.Future[None] | None = None

    def begin(self) -> None:
        """A context adopts the runner now."""
        self._settled = asyncio.get_running_loop().create_future()
        self.begun.set()

    def finish(self) -> None:
        """The policy of its tenant is in force, and the runner was told its tenant."""
        if self._settled is not None and not self._settled.done():
            self._settled.set_result(None)

    def lose(self, reason: str) -> None:
        """The runner is gone. Jobs that wait for it are not to blame: no module was in it."""
        if self._settled is not None and not self._settled.done():
            self._settled.set_exception(RunnerLost(reason, charged=False))
            self._settled.exception()  # marked as seen: no job may be waiting for it

    async def settled(self) -> None:
        """Return when nothing of an adoption is left to do. Raises RunnerLost."""
        if self._settled is not None:
            await asyncio.shield(self._settled)

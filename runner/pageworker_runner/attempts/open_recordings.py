"""The recordings of one attempt that have begun: each is stored when its block ends, or when the attempt ends."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from playwright.async_api import Error as BrowserError

from pageworker_runner.pages.recordings import Recording
from pageworker_runner.task_ownership import own_work

Store = Callable[[str, bytes, str], Awaitable[None]]
"""Kind, data, content type: stores an artifact. Raises ValueError."""


class OpenRecordings:
    """Recordings with the kind of their artifact."""

    def __init__(self, store: Store, warn: Callable[[str], None]) -> None:
        """`warn` is called with a recording that is lost, and why."""
        self._store = store
        self._warn = warn
        self._open: list[tuple[str, Recording]] = []
        self._of_failure: Recording | None = None

    async def record_failure(self, kind: str, start: Callable[[], Awaitable[Recording | None]]) -> None:
        """Record the rest of the attempt. The recording is kept if the attempt does not succeed. Raises nothing."""
        try:
            with own_work():
                recording = await start()
        except BrowserError as error:
            self._warn(f"No {kind} is recorded: {str(error).partition(chr(10))[0]}")
            return
        if recording is None:
            self._warn(f"No {kind} is recorded: another job in this browser records one")
            return
        self._of_failure = recording
        self._open.append((kind, recording))

    async def succeeded(self) -> None:
        """Nothing is kept of what was recorded in case of a failure. Raises nothing."""
        own = [each for each in self._open if each[1] is self._of_failure]
        for kind, recording in own:
            self._open.remove((kind, recording))
            with suppress(BrowserError), own_work():
                await recording.drop()

    @asynccontextmanager
    async def during(self, kind: str, start: Callable[[], Awaitable[Recording]]) -> AsyncIterator[None]:
        """Record what the block does. Raises Playwright's Error, ValueError.

        If the block fails, its error goes on, and an error of the recording is a warning. If it is stopped, the
        recording stays open: a stopped handler has no time to store it.
        """
        with own_work():
            recording = await start()
        self._open.append((kind, recording))
        try:
            yield
        except (asyncio.CancelledError, GeneratorExit):
            raise
        except BaseException:
            await self._keep_or_warn(kind, recording)
            raise
        await self._keep(kind, recording)

    async def keep_all(self, seconds: float) -> None:
        """Store what is still open, as far as it is possible within `seconds`. Raises nothing."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                for kind, recording in list(self._open):
                    await self._keep_or_warn(kind, recording)
        for _, recording in self._open:
            self._lost(recording, "the attempt has ended")

    async def _keep_or_warn(self, kind: str, recording: Recording) -> None:
        try:
            await self._keep(kind, recording)
        except (BrowserError, ValueError) as error:
            self._lost(recording, str(error).partition("\n")[0])

    async def _keep(self, kind: str, recording: Recording) -> None:
        self._open.remove((kind, recording))
        try:
            with own_work():
                data = await recording.finish()
            await self._store(kind, data, recording.content_type)
        except asyncio.CancelledError:
            self._lost(recording, "there was no time left to store it")
            raise

    def _lost(self, recording: Recording, reason: str) -> None:
        self._warn(f"The {recording.name} is lost: {reason}")

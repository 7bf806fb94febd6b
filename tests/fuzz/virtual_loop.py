"""An event loop without I/O and without waiting: its clock jumps to the next timer.

So a session with a limit of 300 seconds takes a millisecond, and the same input does the same each time.
"""

import asyncio
from asyncio import base_events
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class NothingWakesIt(Exception):
    """A task waits for something that never comes: no timer is set, and no callback is ready."""


class _VirtualClock:
    """In the place of a selector."""

    def __init__(self) -> None:
        self.now = 0.0

    def select(self, timeout: float | None) -> list[object]:
        """Nothing arrives from outside, so the time until the next timer is over at once."""
        if timeout is None:
            raise NothingWakesIt
        self.now += timeout
        return []


class VirtualLoop(base_events.BaseEventLoop):
    """Its connections are those that `connections` makes."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = _VirtualClock()
        self.connections: Callable[[asyncio.Protocol, Any, bool], asyncio.Transport] | None = None
        """Takes the protocol, what stands for a socket, and whether TLS is wanted."""

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._selector.now

    async def create_connection(  # type: ignore[override]  # asyncio has more forms
        self, factory: Callable[[], Any], *_: Any, **options: Any
    ) -> Any:
        """As asyncio's, but only the form with `sock`."""
        if self.connections is None:
            raise OSError("this loop has no connections")
        protocol = factory()
        transport = self.connections(protocol, options["sock"], options.get("ssl") is not None)
        protocol.connection_made(transport)
        return transport, protocol

    def _process_events(self, events: list[object]) -> None:
        """Nothing arrives."""

    def _write_to_self(self) -> None:
        """The loop never sleeps, so nothing must wake it."""

    def run_to_end(self, work: Coroutine[Any, Any, T]) -> T:
        """Run it to its end. Raises NothingWakesIt, and AssertionError where it leaves timers or tasks."""
        asyncio.set_event_loop(self)
        task = self.create_task(work)
        try:
            value = self.run_until_complete(task)
        except BaseException:
            self._drop()
            raise
        self.run_until_complete(asyncio.sleep(0))
        left = self._left()
        self._drop()
        assert not left, f"left behind: {left}"
        return value

    def _left(self) -> list[str]:
        timers = [handle for handle in getattr(self, "_scheduled", ()) if not handle.cancelled()]
        tasks = [task for task in asyncio.all_tasks(self) if not task.done()]
        return [repr(each) for each in (*timers, *tasks)]

    def _drop(self) -> None:
        """End what is left, so that the next input finds an empty loop."""
        for task in asyncio.all_tasks(self):
            task.cancel()
        for _ in range(8):
            if not asyncio.all_tasks(self):
                break
            self.run_until_complete(asyncio.sleep(0))
        for handle in list(getattr(self, "_scheduled", ())):
            handle.cancel()

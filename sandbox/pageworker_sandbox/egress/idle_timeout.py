"""Ends a request or tunnel in which no byte moves, or a tunnel that seems to wait for its next request."""

import asyncio
from types import TracebackType
from typing import Self

from pageworker_sandbox.egress.stream import Stream

NO_BYTE_MOVED = "no byte moved"
QUIET = "the tunnel is quiet, and its host has a limit on open requests"


class IdleTimeout:
    """A context manager. When no byte moves for `seconds`, it closes the origin's stream.

    It closes the runner's stream too if the runner does not read. `expired` tells whether that happened.
    """

    def __init__(self, runner: Stream, origin: Stream, seconds: float) -> None:
        self._runner = runner
        self._origin = origin
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self.expired = False

    def __enter__(self) -> Self:
        self._since = self._loop.time()
        self._timer = self._loop.call_later(self._seconds, self._check)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()

    def _check(self) -> None:
        # Streams record when a byte moved. The timer is set again only when it has run out, not for every byte.
        moved_at = max(self._since, self._runner.moved_at, self._origin.moved_at)
        left = moved_at + self._seconds - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._check)
            return
        self.expired = True
        self._origin.abort(NO_BYTE_MOVED)
        if self._runner.stuck:
            self._runner.abort(NO_BYTE_MOVED)


class QuietTimeout:
    """A context manager. It closes a tunnel in which no byte moves for `seconds`, if the origin sent the last bytes.

    The browser keeps the tunnel of an answered request for the next one, for minutes. Meanwhile it counts as open, and
    the requests of others wait for its end. The browser sends a request again that finds its tunnel closed.
    """

    def __init__(self, runner: Stream, origin: Stream, seconds: float) -> None:
        self._runner = runner
        self._origin = origin
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()

    def __enter__(self) -> Self:
        self._timer = self._loop.call_later(self._seconds, self._check)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()

    def _check(self) -> None:
        left = self._origin.moved_at + self._seconds - self._loop.time()
        answered = self._origin.arrival >= self._runner.arrival
        if left <= 0 and answered and not self._runner.stuck:
            self._origin.abort(QUIET)
        else:
            self._timer = self._loop.call_later(left if left > 0 else self._seconds, self._check)

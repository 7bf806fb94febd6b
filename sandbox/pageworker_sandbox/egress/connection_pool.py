"""Idle connections to origins, for one runner only: bytes of another runner must never be read from them."""

import asyncio
from collections import OrderedDict

from pageworker_sandbox.egress.http import HttpSide
from pageworker_sandbox.egress.limits import EgressLimits
from pageworker_sandbox.egress.policy import Route

NOT_REUSABLE = "the connection cannot be reused"


class ConnectionPool:
    """Keeps idle connections by route. The newest is taken first, the oldest is closed first."""

    def __init__(self, limits: EgressLimits) -> None:
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._idle: OrderedDict[HttpSide, tuple[Route, asyncio.TimerHandle]] = OrderedDict()

    def take(self, route: Route) -> HttpSide | None:
        """An idle connection on the same route that has received nothing, or None."""
        for side in [side for side, (of, _) in reversed(self._idle.items()) if of == route]:
            self._idle.pop(side)[1].cancel()
            if side.stream.quiet:
                return side
            # The origin has closed it, or has sent bytes without a request: those must answer no request.
            side.stream.abort(NOT_REUSABLE)
        return None

    def put(self, side: HttpSide, route: Route) -> None:
        """Keep a connection whose last exchange is complete."""
        if not side.stream.quiet or side.trailing:
            side.stream.abort(NOT_REUSABLE)
            return
        if len(self._idle) >= self._limits.pool_connections:
            self._drop(next(iter(self._idle)))
        timer = self._loop.call_later(self._limits.pool_seconds, self._drop, side)
        self._idle[side] = (route, timer)

    def close(self) -> None:
        """Close all connections."""
        for side in list(self._idle):
            self._drop(side)

    def _drop(self, side: HttpSide) -> None:
        self._idle.pop(side)[1].cancel()
        side.stream.abort("the connection was idle for too long")

"""Which route a request takes next, when its upstream proxies fail. Pure: times are passed in."""

from collections.abc import Callable, Iterator

from pageworker_sandbox.egress.policy import Route, Routes, UpstreamProxy

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
REMEMBERED_DOUBTS = 256
SHORTEST_SECONDS = 0.01
"""With less time left, no further route is tried."""
_MOST_DOUBLINGS = 16


class RouteDoubts:
    """Routes of one runner that failed, perhaps for their target. They are left out for a growing pause.

    It concerns one target and one proxy. A target that no proxy reaches moves no other target to another proxy, and no
    other runner.
    """

    def __init__(self) -> None:
        self._doubts: dict[Route, tuple[int, float]] = {}
        """Failures in a row, and when the pause is over."""

    def add(self, route: Route, now: float) -> None:
        """The route failed."""
        failures, _ = self._doubts.pop(route, (0, 0.0))
        if len(self._doubts) >= REMEMBERED_DOUBTS:
            del self._doubts[next(iter(self._doubts))]
        pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(failures, _MOST_DOUBLINGS))
        self._doubts[route] = (failures + 1, now + pause)

    def clear(self, route: Route) -> None:
        """The route works."""
        self._doubts.pop(route, None)

    def holds(self, route: Route, now: float) -> bool:
        """Whether the route is left out now."""
        return route in self._doubts and now < self._doubts[route][1]


def candidates(routes: Routes, usable: Callable[[UpstreamProxy], bool], doubts: RouteDoubts, now: float) -> list[Route]:
    """The routes that a request may try, in the order of the policy.

    Proxies that are down are left out. Doubted routes are left out while there is another proxy.
    """
    proxied = [route for route in routes if route.proxy is not None and usable(route.proxy)]
    direct = [route for route in routes if route.proxy is None]
    return ([route for route in proxied if not doubts.holds(route, now)] or proxied) + direct


class Failover:
    """The routes of one request, each tried once. Iterate over it; it ends when none is left."""

    def __init__(self, routes: Routes, untried: list[Route], seconds: float, clock: Callable[[], float]) -> None:
        """`seconds`: for the connections of all routes together. `clock`: the present time."""
        self.routes = routes
        self._untried = untried
        self._clock = clock
        self._seconds = seconds
        self._deadline = clock() + seconds

    def restart(self) -> None:
        """Count the time from now on: the request had to wait before it could begin."""
        self._deadline = self._clock() + self._seconds

    def __iter__(self) -> Iterator[Route]:
        while self._untried and self.left_seconds > SHORTEST_SECONDS:
            yield self._untried.pop(0)

    @property
    def left_seconds(self) -> float:
        """The time that is left."""
        return max(0.0, self._deadline - self._clock())

    @property
    def share_seconds(self) -> float:
        """How long the present route may take to connect: half of the time that is left, all of it for the last one."""
        return self.left_seconds / 2 if self._untried else self.left_seconds

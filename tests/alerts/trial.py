"""One fault: its alerts fire once and clear once, and no others do."""

import time
from dataclasses import dataclass

from alerts.faults import FaultCase, caused
from alerts.world import AlertWorld
from pw_servers.waiting import until

CALM_SECONDS = 120.0
LOOK_SECONDS = 0.25
SETTLE_SECONDS = 3.0
"""After the last alert has cleared: one that comes back would fire again within this time."""


@dataclass(frozen=True)
class AlertTrial:
    """What was seen of one alert. Seconds from the fault to the alert, and from the repair to its end."""

    alert: str
    fires_after: float
    clears_after: float
    times: int
    others: frozenset[str]
    """What else fired, and was not expected."""

    @property
    def good(self) -> bool:
        """Whether it fired once and cleared once, alone."""
        return self.times == 1 and not self.others


def calm(world: AlertWorld) -> None:
    """Wait until no alert fires."""
    until(lambda: not world.prometheus.firing(), "no alert fires", CALM_SECONDS, LOOK_SECONDS)


def try_fault(case: FaultCase, world: AlertWorld) -> list[AlertTrial]:
    """Cause it, see the alerts, mend it, see them clear. Raises TimeoutError where one does not come or go."""
    prometheus = world.prometheus
    wanted = {f"Pageworker{name}" for name in case.alerts}
    calm(world)
    begin = time.time()
    seen: set[str] = set()

    def all_fired() -> bool:
        seen.update(prometheus.firing())
        return wanted <= seen

    with caused(case, world):
        until(all_fired, f"{sorted(wanted)} fire", case.seconds, LOOK_SECONDS)
        mended = time.time()
    until(lambda: not wanted & prometheus.firing(), f"{sorted(wanted)} clear", case.seconds, LOOK_SECONDS)
    calm(world)
    settled = time.time() + SETTLE_SECONDS
    until(lambda: time.time() > settled, "none comes back", 2 * SETTLE_SECONDS, LOOK_SECONDS)
    episodes = prometheus.episodes(begin)
    expected = wanted | {f"Pageworker{name}" for name in case.also}
    others = frozenset(episodes) - expected
    return [
        AlertTrial(
            alert=alert,
            fires_after=episodes[alert][0].begin - begin,
            clears_after=(episodes[alert][-1].end or settled) - mended,
            times=len(episodes[alert]),
            others=others,
        )
        for alert in sorted(wanted)
    ]

"""Looks at the load of the host, and closes the worker to jobs step by step while it is too high."""

import asyncio
from collections.abc import Callable
from typing import NoReturn

from pageworker_supervisor.config.admission_settings import AdmissionSettings
from pageworker_supervisor.config.live import Live
from pageworker_supervisor.host.load_level import (
    ALL_OPEN,
    LOAD_NAMES,
    HostLoad,
    LoadLevel,
    level_of,
    next_levels,
    reason_of,
)
from pageworker_supervisor.telemetry import log
from pageworker_supervisor.telemetry.metrics.health_metrics import HealthMetrics

LOOK_SECONDS = 1.0


class LoadWatch:
    """`read` measures. `admit` is called with the level whenever it changes."""

    def __init__(
        self,
        settings: Live[AdmissionSettings],
        read: Callable[[], HostLoad],
        admit: Callable[[LoadLevel], None],
        metrics: HealthMetrics,
    ) -> None:
        self._settings = settings
        self._read = read
        self._admit = admit
        self._metrics = metrics
        self._levels = ALL_OPEN
        self.load: HostLoad = {}
        """Percent, as last measured."""
        self.reason = ""
        """Why it claims less than all, as it was when that changed last; "" while it does not."""
        settings.on_change(lambda _: self.look(told_anew=True))
        self._show()

    @property
    def level(self) -> LoadLevel:
        """What the worker claims now."""
        return level_of(self._levels)

    @property
    def takes_jobs(self) -> bool:
        """Whether it claims any."""
        return self.level is not LoadLevel.NO_JOBS

    def look(self, *, told_anew: bool = False) -> None:
        """Measure once. The reason keeps its numbers while no level changes: each change of it is reported to the
        fleet. `told_anew`: it may name marks that have changed."""
        self.load = self._read()
        before, self._levels = self._levels, next_levels(self._levels, self.load, self._settings.value)
        if before == self._levels and not told_anew:
            return
        self.reason = reason_of(self._levels, self.load, self._settings.value)
        if before == self._levels:
            return
        self._show()
        if self.reason:
            log.warning("admission is limited by load", reason=self.reason)
        else:
            log.info("admission is open again")
        if level_of(before) is not self.level:
            self._admit(self.level)

    async def run(self) -> NoReturn:
        """Look for ever."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_SECONDS)

    def _show(self) -> None:
        for name in LOAD_NAMES:
            self._metrics.admission_closed(name, int(self._levels[name]))

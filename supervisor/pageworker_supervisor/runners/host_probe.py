"""Starts a probe, a runner of no tenant, while it is in doubt whether browsers start on this host."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NoReturn

from pageworker_supervisor.runners.start_history import HostHealth

RETRY_SECONDS = 0.5
"""Pause after a probe that ended without a result, for instance because there was no gateway."""


@dataclass(frozen=True)
class ProbeEffects:
    """What the probe needs of the fleet."""

    start: Callable[[], Awaitable[None]]
    """Start a probe. Returns when it is gone. The host's health then shows its result."""
    may_start: Callable[[], bool]
    """False while no runner can start, or while another start is under way that will tell."""


class HostProbe:
    """One probe at a time. `look` makes it check again whether one is due."""

    def __init__(self, host: HostHealth, effects: ProbeEffects) -> None:
        self._host = host
        self._effects = effects
        self._changed = asyncio.Event()

    def look(self) -> None:
        """The host's health, or what may be started, has changed."""
        self._changed.set()

    async def run(self) -> NoReturn:
        """Start a probe whenever one is due, for ever."""
        while True:
            self._changed.clear()
            wait = self._host.probe_in(time.monotonic())
            if wait is None or not self._effects.may_start():
                await self._changed.wait()
            elif wait > 0:
                await self._changed_within(wait)
            else:
                told = (self._host.last_came_up, self._host.last_failed)
                await self._effects.start()
                if told == (self._host.last_came_up, self._host.last_failed):
                    await asyncio.sleep(RETRY_SECONDS)

    async def _changed_within(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return

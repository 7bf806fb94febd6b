"""Starts a runner of nobody where it is in doubt whether browsers start on this host."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NoReturn

from pageworker_supervisor.runners.host_health import HostHealth

RETRY_SECONDS = 0.5
"""After a probe that ended without an answer, for instance for want of a gateway."""


@dataclass(frozen=True)
class ProbeEffects:
    """What the probe needs of the fleet."""

    start: Callable[[], Awaitable[None]]
    """Start a runner of nobody; returns when it is gone. What came of it shows in the host's health."""
    may_start: Callable[[], bool]
    """False while no start makes sense, or one is under way whose end will tell."""


class HostProbe:
    """Level-triggered: `look` says that something has changed."""

    def __init__(self, host: HostHealth, effects: ProbeEffects) -> None:
        self._host = host
        self._effects = effects
        self._changed = asyncio.Event()

    def look(self) -> None:
        """The host's health, or what may be started, is another now."""
        self._changed.set()

    async def run(self) -> NoReturn:
        """Probe for ever, whenever that is due."""
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

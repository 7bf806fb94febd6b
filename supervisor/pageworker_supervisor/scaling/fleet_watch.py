"""Looks at the fleet every SAMPLE_SECONDS, and keeps the newest reading while it is current."""

import asyncio

from msgspec import Struct

from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.errors import SchemaMismatch
from pageworker_supervisor.redis_client import RedisClient
from pageworker_supervisor.redis_client.errors import RedisClientError
from pageworker_supervisor.scaling.decider import SAMPLE_SECONDS, Decision, decide
from pageworker_supervisor.scaling.fleet_state import FleetState, numbers_of
from pageworker_supervisor.scaling.history import ScalingHistory, ScalingRecord, slot_of
from pageworker_supervisor.scaling.reader import FleetReader
from pageworker_supervisor.telemetry import log
from pageworker_supervisor.telemetry.fleet_metrics import Numbers

READ_SECONDS = 4.0
"""For one reading. A Redis that takes longer does not answer."""


class FleetUnreadable(Exception):
    """Redis did not answer, or refused. The text says why."""


class FleetLook(Struct, frozen=True, kw_only=True):
    """One reading, and the decision of its interval."""

    state: FleetState
    decision: Decision


class FleetWatch:
    """The newest reading of one fleet."""

    def __init__(self, redis_client: RedisClient, queue: QueueClient, settings: Settings) -> None:
        self._reader = FleetReader(redis_client, queue, settings)
        self._history = ScalingHistory(queue)
        self._settings = settings.scaling
        self._look: FleetLook | None = None
        self.trouble = "the fleet was not read yet"
        """Why there is no current reading; "" if there is one."""

    def current(self) -> FleetLook:
        """The newest reading. Raises FleetUnreadable if the last try to read failed."""
        if self._look is None:
            raise FleetUnreadable(self.trouble)
        return self._look

    def numbers(self) -> Numbers:
        """The metrics of now. Without a current reading, only that."""
        if self._look is None:
            return {"redis_up": 0}
        return numbers_of(self._look.state, self._look.decision.wanted_workers)

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            begun = loop.time()
            await self.turn()
            await asyncio.sleep(max(0.0, SAMPLE_SECONDS - (loop.time() - begun)))

    async def turn(self) -> None:
        """Look once. If that fails, the earlier reading is not current any more."""
        try:
            await self.look()
        except FleetUnreadable as error:
            if self.trouble != str(error):
                log.warning("the fleet cannot be read", error=str(error))
            self._look, self.trouble = None, str(error)

    async def look(self, *, keep: bool = True) -> FleetLook:
        """Read the fleet once. `keep`: share the sample with later readings. Raises FleetUnreadable."""
        try:
            async with asyncio.timeout(READ_SECONDS):
                look = await self._read(keep)
        except TimeoutError:
            raise FleetUnreadable(f"Redis does not answer within {READ_SECONDS:g} s") from None
        except (RedisClientError, SchemaMismatch) as error:
            raise FleetUnreadable(printable(error)) from error
        if self._look is None and keep:
            log.info("the fleet is read", wanted_workers=look.decision.wanted_workers)
        self._look, self.trouble = look, ""
        return look

    async def _read(self, keep: bool) -> FleetLook:
        await self._history.refresh()
        samples = self._history.samples
        state = await self._reader.read(samples[-1].pages_per_worker if samples else None)
        slot_ms = slot_of(state.at)
        self._history.drop_later(slot_ms)
        newest = self._history.records[-1] if self._history.records else None
        if newest is None or newest.slot_ms < slot_ms:
            decision, sample = decide(state.load, self._history.samples, self._settings)
            newest = ScalingRecord(slot_ms=slot_ms, sample=sample, decision=decision)
            if keep:
                newest = await self._history.add(newest)
        return FleetLook(state=state, decision=newest.decision)

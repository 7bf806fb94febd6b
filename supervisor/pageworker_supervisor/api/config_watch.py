"""Follows the central configuration without a vote: a change waits for workers, not for the API.

Tenants, their limits and domains come from it. A version that is invalid together with the API's own file is not used:
the API keeps the settings that it has, and is not ready.
"""

import asyncio
import random
from typing import NoReturn

from pageworker_supervisor.central.document import reasons, values_of
from pageworker_supervisor.config.errors import ConfigInvalid
from pageworker_supervisor.config.live import Live
from pageworker_supervisor.config.load import LocalLayers
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.queue.config_store import ConfigStore
from pageworker_supervisor.redis_client.availability import Availability
from pageworker_supervisor.telemetry import log

POLL_SECONDS = 5.0


class ConfigWatch:
    """`live` holds the settings that count."""

    def __init__(
        self, store: ConfigStore, availability: Availability, local: LocalLayers, live: Live[Settings]
    ) -> None:
        self.trouble = ""
        """Why the version that counts is not used; "" while it is."""
        self._store = store
        self._availability = availability
        self._local = local
        self._live = live
        self._digest: str | None = None

    async def look(self) -> None:
        """Take the version that counts. Waits while Redis is away."""
        if self._live.value.config.central == "off":
            return
        state = await self._availability.retry_until_available(self._store.state)
        if state.digest == self._digest:
            return
        self._digest = state.digest
        if state.version == 0:
            return
        try:
            settings = await asyncio.to_thread(lambda: self._local.settings(values_of(state.document)))
        except ConfigInvalid as invalid:
            why = "; ".join(reasons(invalid))
            self.trouble = f"version {state.version} of the central configuration is invalid for the API: {why}"
            log.error("configuration not applied", version=state.version, reason=why)
            return
        self.trouble = ""
        self._live.replace(settings)
        log.info("configuration applied", version=state.version)

    async def run(self) -> NoReturn:
        """Look again and again until cancelled."""
        while True:
            await asyncio.sleep(POLL_SECONDS * random.uniform(0.8, 1.2))
            await self.look()

"""Proposes what the Parameter Store holds as the central configuration. Each worker polls; the first one proposes.

Redis stays the place where workers vote and from where they start. So a worker starts, and keeps its settings, while
the Parameter Store is away.
"""

import asyncio
import hashlib
import random
from typing import NoReturn

import msgspec

from pageworker_supervisor.central.document import texts_of_values
from pageworker_supervisor.central.parameter_names import values_of_parameters
from pageworker_supervisor.central.parameter_store import ParameterStore, ParameterStoreAway
from pageworker_supervisor.queue.config_store import ConfigStore, Texts, texts_of
from pageworker_supervisor.queue.errors import ConfigStoreDamaged
from pageworker_supervisor.redis_client.availability import Availability
from pageworker_supervisor.telemetry import log
from pageworker_supervisor.telemetry.metrics import Metrics

OUTCOME_SECONDS = 5.0
WHY = "changed in the Parameter Store"
EMPTY_MEND = "correct config.central, or take all settings out with `workerctl config rollback 0`"


class ParameterFollower:
    """One worker's look at the Parameter Store."""

    def __init__(
        self,
        parameters: ParameterStore,
        store: ConfigStore,
        availability: Availability,
        poll_seconds: float,
        metrics: Metrics,
    ) -> None:
        self.trouble = ""
        """Why the Parameter Store could not be read; "" while it can."""
        self._parameters = parameters
        self._store = store
        self._availability = availability
        self._poll_seconds = poll_seconds
        self._metrics = metrics
        self._refused = ""
        """The proposal that was refused last: it is not made again until something has changed."""

    async def run(self) -> NoReturn:
        """Poll until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(self._poll_seconds * random.uniform(0.8, 1.2))

    async def look(self) -> None:
        """Read once, and propose what differs from the version that counts."""
        try:
            found = await self._parameters.read()
        except ParameterStoreAway as away:
            self._note(str(away))
            return
        state = await self._availability.retry_until_available(self._store.state)
        texts = texts_of_values(values_of_parameters(self._parameters.path, found))
        if not texts and not _is({}, state.document):
            # A mistyped path must not take every central setting away.
            self._note(f"no parameter is below {self._parameters.path}: version {state.version} stays; {EMPTY_MEND}")
            return
        self._note("")
        name = proposal_name(texts, state.version)
        if name == self._refused or _is(texts, state.document):
            return
        who = f"ssm: {await self._parameters.changed_by()}"
        await self._availability.retry_until_available(
            lambda: self._store.propose(name, state.version, texts, who, WHY)
        )
        await self._availability.retry_until_available(lambda: self._store.wait_outcome(name, OUTCOME_SECONDS))
        outcome = await self._availability.retry_until_available(lambda: self._store.outcome(name))
        if outcome is not None and outcome.state == "refused":
            self._refused = name
            log.error("Parameter Store not applied", who=who, refusals=outcome.refusals)

    def _note(self, trouble: str) -> None:
        self._metrics.config.source_up.set(int(not trouble))
        if trouble and trouble != self.trouble:
            log.error("the central configuration is not read", reason=trouble)
        elif self.trouble and not trouble:
            log.info("the central configuration is read again")
        self.trouble = trouble


def proposal_name(texts: Texts, base: int) -> str:
    """The same for every worker that finds the same parameters on the same version: they make one proposal."""
    digest = hashlib.blake2b(msgspec.json.encode(texts, order="deterministic"), digest_size=12).hexdigest()
    return f"ssm-{digest}-{base}"


def _is(texts: Texts, document: bytes) -> bool:
    try:
        return texts_of(document) == texts
    except ConfigStoreDamaged:
        return False

"""Keeps one worker on the central configuration: votes on changes, applies what was decided.

The worker looks at Redis when it is notified (dispatch/dispatcher.py), and every POLL_SECONDS. Each look tells it what
to do next, until there is nothing to do. If the version that counts is invalid together with this worker's own file and
environment, the worker keeps the settings that it has, and is not ready.
"""

import asyncio
from typing import NoReturn

from pageworker_supervisor.audit.decisions import Decisions
from pageworker_supervisor.central.document import reasons, texts_of_values, values_of
from pageworker_supervisor.config.central_document import EMPTY, CentralValues
from pageworker_supervisor.config.errors import ConfigInvalid
from pageworker_supervisor.config.live import Live
from pageworker_supervisor.config.load import LocalLayers
from pageworker_supervisor.config.reload import running, waiting
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.queue.config_store import ConfigLook, ConfigStore, ConfigVersion
from pageworker_supervisor.redis_client.availability import Availability
from pageworker_supervisor.task_supervision import look_when_noticed
from pageworker_supervisor.telemetry import log
from pageworker_supervisor.telemetry.metrics import Metrics

POLL_SECONDS = 10.0
"""A notice may get lost, and an edit by hand in Redis gives none."""


class ConfigFollower:
    """One worker's part in the central configuration. `name`: the worker as the queue knows it."""

    def __init__(
        self,
        name: str,
        store: ConfigStore,
        availability: Availability,
        local: LocalLayers,
        live: Live[Settings],
        metrics: Metrics,
        decisions: Decisions | None = None,
    ) -> None:
        self.version = ConfigVersion(version=0)
        """The version that this worker runs."""
        self.trouble = Live("")
        """Why this worker does not run the version that counts; "" while it does."""
        self.applied = asyncio.Event()
        """Set when another version or another file was applied. The waiting task clears it."""
        self.waiting: tuple[str, ...] = ()
        """Settings whose new value takes effect at the next start."""
        self._name = name
        self._store = store
        self._availability = availability
        self._local = local
        self._live = live
        self._metrics = metrics
        self._decisions = decisions or Decisions()
        self._values: CentralValues = EMPTY
        self._started: Settings | None = None
        """The settings of the start, once they are known."""
        self._refused = ""
        """Digest of the version that is invalid here."""
        self._wake = asyncio.Event()
        self._changing = asyncio.Lock()
        """Of two changes at the same time, of the file and of the version, the second is checked with the first."""

    def notice(self) -> None:
        """Look now: something has changed."""
        self._wake.set()

    async def start(self) -> None:
        """Take the version that counts, before anything is built with the settings. Waits while Redis is away."""
        state = await self._availability.retry_until_available(self._store.state)
        if state.version == 0:
            # Version 0 has a digest too. With it, the first look has nothing to take.
            self.version = ConfigVersion(version=0, digest=state.digest)
        else:
            await self._take(state, state.document)
        self._started = self._live.value

    async def run(self) -> NoReturn:
        """Follow until cancelled. Changes wait for this worker's vote from the first look on."""
        await look_when_noticed(self._wake, POLL_SECONDS, self._look)

    async def reload(self, local: LocalLayers) -> None:
        """Use another file together with the version that counts. Raises ConfigInvalid: then nothing has changed."""
        async with self._changing:
            settings = await asyncio.to_thread(local.settings, self._values)
            self._local = local
            self._use(settings)
        # A version that was invalid with the file as it was may be valid now.
        self._refused = ""
        self.notice()

    async def _look(self) -> None:
        """Look until there is nothing to do."""
        while True:
            look = await self._availability.retry_until_available(
                lambda: self._store.look(self._name, self.version.version, self.version.digest, self._refused)
            )
            match look.action:
                case "take":
                    async with self._changing:
                        await self._take(look, look.document)
                case "vote":
                    await self._vote(look)
                case "restore":
                    await self._restore()
                case _:
                    return

    async def _take(self, found: ConfigVersion, document: bytes) -> None:
        version = ConfigVersion(
            version=found.version, digest=found.digest, who=found.who, why=found.why, at_ms=found.at_ms
        )
        try:
            values, settings = await asyncio.to_thread(self._checked, document)
        except ConfigInvalid as invalid:
            why = "; ".join(reasons(invalid))
            self._refused = version.digest
            self._metrics.config.invalid.set(1)
            self._metrics.config.refused.inc()
            log.error("configuration not applied", version=version.version, who=version.who, reason=why)
            detail: dict[str, str | int] = {"who": version.who}
            self._decisions.record("config.refuse", f"version {version.version}", reason=why, detail=detail)
            self.trouble.replace(
                f"version {version.version} of the central configuration is invalid on this worker: {why}. Correct it"
                " with `workerctl config set`, or correct the file or the environment of this worker and start again"
            )
            return
        before, self.version, self._values, self._refused = self.version, version, values, ""
        self._use(settings)
        self._metrics.config.version.set(version.version)
        self._metrics.config.invalid.set(0)
        self.trouble.replace("")
        log.info(
            "configuration applied",
            version=version.version,
            before=before.version,
            who=version.who,
            why=version.why,
            waiting_for_restart=list(self.waiting),
        )

    def _use(self, settings: Settings) -> None:
        if self._started is not None:
            self.waiting = waiting(self._started, settings)
            settings = running(self._started, settings)
        self._live.replace(settings)
        self.applied.set()

    async def _vote(self, look: ConfigLook) -> None:
        try:
            await asyncio.to_thread(self._checked, look.document)
            problems = []
        except ConfigInvalid as invalid:
            problems = reasons(invalid)
            self._metrics.config.refused.inc()
            why = "; ".join(problems)
            log.error("configuration refused", who=look.who, why=look.why, reason=why)
            self._decisions.record("config.refuse", "a proposed change", reason=why, detail={"who": look.who})
        self._metrics.config.voted("refused" if problems else "accepted")
        await self._availability.retry_until_available(lambda: self._store.vote(self._name, look.id, problems))

    async def _restore(self) -> None:
        """Redis has lost data: an older version than this worker's. The newest version that a worker has counts."""
        texts = texts_of_values(self._values)
        if await self._availability.retry_until_available(lambda: self._store.restore(self.version, texts)):
            log.warning("configuration restored in Redis, which had lost it", version=self.version.version)

    def _checked(self, document: bytes) -> tuple[CentralValues, Settings]:
        values = values_of(document)
        return values, self._local.settings(values)

    async def leave(self) -> None:
        """This worker stops: no change waits for its vote. Raises RedisClientError."""
        await self._store.leave(self._name)

"""Takes promised callbacks from the outbox and keeps them."""

import asyncio
import random
import time
from collections.abc import Awaitable, Sequence
from functools import partial

from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.config.tenant_lookup import limits_for
from pageworker_supervisor.contract.callback_url import CallbackTarget, allowed
from pageworker_supervisor.contract.event import TenantEvent, encode_event
from pageworker_supervisor.contract.result import ResultError
from pageworker_supervisor.delivery.callback_policy import (
    Age,
    Delivered,
    GiveUp,
    RetryLaterAt,
    Verdict,
    backoff_seconds,
    decide,
)
from pageworker_supervisor.delivery.http_client import CallbackHttpClient
from pageworker_supervisor.delivery.outbox import OutboxClient, OutboxEntry, RetriesRedis
from pageworker_supervisor.delivery.receiver_queues import Action, DeliveryAttempt, Postpone, ReceiverQueues, Start
from pageworker_supervisor.delivery.response import Answered, DeliveryOutcome
from pageworker_supervisor.delivery.secret_files import SecretFiles, SecretUnreadable
from pageworker_supervisor.delivery.signature import HEADER, sign
from pageworker_supervisor.telemetry import log
from pageworker_supervisor.telemetry.metrics import Metrics

HELD_PER_SLOT = 2
"""Promises held for each slot of `callbacks.concurrency`: those that wait for their receiver's turn."""
TAKE_AT_MOST = 64
BLOCK_MS = 500
"""Below the socket timeout of any client, and short: `stop` waits for it."""
FORGET_SECONDS = 60.0


class CallbackSender:
    """Delivers callbacks: at least once, each receiver in a lane of its own.

    What it holds when it dies comes again when the outbox' lease on it runs out; receivers tell repeats by
    `Idempotency-Key`.
    """

    def __init__(self, outbox: OutboxClient, availability: RetriesRedis, settings: Settings, metrics: Metrics) -> None:
        callbacks = settings.callbacks
        self.held: set[str] = set()
        """Promises taken and not yet settled."""
        self._outbox = outbox
        self._availability = availability
        self._settings = settings
        self._metrics = metrics
        self._secrets = SecretFiles()
        self._lanes = ReceiverQueues(callbacks.concurrency, callbacks.host_concurrency, random.random)
        self._room = asyncio.Event()
        self._stopping = False
        self._taken = asyncio.Event()
        self._nothing_held = asyncio.Event()
        self._nothing_held.set()
        self._delivered: list[OutboxEntry] = []
        self._some_delivered = asyncio.Event()

    async def run(self) -> None:
        """Deliver until cancelled. What is held then is left to the outbox' lease; see `stop`."""
        callbacks = self._settings.callbacks
        async with (
            CallbackHttpClient(callbacks.timeout_seconds, callbacks.concurrency) as poster,
            asyncio.TaskGroup() as tasks,
        ):
            tasks.create_task(self._confirm(), name="confirm callbacks")
            await self._take(tasks, poster)
            for errand in self._lanes.leave():
                tasks.create_task(self._settle(errand.promise, RetryLaterAt(0.0, "the worker stops"), errand.target))

    async def stop(self) -> None:
        """Take no more, and wait until what is held is settled, while `run` still runs.

        Redis being up, that is at most `callbacks.timeout_seconds` and one blocked take later.
        """
        self._stopping = True
        self._room.set()
        await self._taken.wait()
        await self._nothing_held.wait()

    async def _take(self, tasks: asyncio.TaskGroup, poster: CallbackHttpClient) -> None:
        most = self._settings.callbacks.concurrency * HELD_PER_SLOT
        tidied = time.monotonic()
        while not self._stopping:
            self._room.clear()
            if len(self.held) >= most:
                await self._room.wait()
                continue
            for promise in await self._availability.retry_until_available(
                partial(self._take_some, most - len(self.held))
            ):
                # One that was held for longer than its lease comes again to whoever holds it still.
                if promise.id not in self.held:
                    self.held.add(promise.id)
                    self._nothing_held.clear()
                    await self._admit(tasks, poster, promise)
            if time.monotonic() - tidied > FORGET_SECONDS:
                tidied = time.monotonic()
                self._lanes.forget(tidied)
        self._taken.set()

    def _take_some(self, room: int) -> Awaitable[Sequence[OutboxEntry]]:
        return self._outbox.take(min(TAKE_AT_MOST, room), BLOCK_MS)

    async def _admit(self, tasks: asyncio.TaskGroup, poster: CallbackHttpClient, promise: OutboxEntry) -> None:
        """What was allowed at the intake may have been forbidden since: look again before every try."""
        tenant = limits_for(self._settings.tenants, promise.ref.tenant_id)
        url = promise.callback_url or ""
        target = CallbackTarget.parse(url)
        now = time.monotonic()
        if target is None or not allowed(url, tenant.callback_allow):
            await self._settle(promise, GiveUp("the tenant's callback_allow does not cover its URL"), target)
        elif tenant.callback_secret_file is None:
            await self._settle(promise, GiveUp("the tenant has no callback secret"), target)
        else:
            self._act(tasks, poster, self._lanes.offer(DeliveryAttempt(promise, target, now), now))

    def _act(self, tasks: asyncio.TaskGroup, poster: CallbackHttpClient, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Start(errand=errand):
                    tasks.create_task(self._run_errand(tasks, poster, errand), name=f"callback {errand.promise.ref}")
                case Postpone(errand=errand, delay_seconds=delay):
                    later = RetryLaterAt(delay, "its receiver has no room")
                    tasks.create_task(self._settle(errand.promise, later, errand.target))

    async def _run_errand(self, tasks: asyncio.TaskGroup, poster: CallbackHttpClient, errand: DeliveryAttempt) -> None:
        began = time.monotonic()
        outcome, decision = await self._try(poster, errand)
        ended = time.monotonic()
        if outcome is not None:
            self._metrics.callback(type(decision).__name__.lower(), ended - began)
        # An unreadable secret says nothing about the receiver: its lane is left as if it had answered.
        self._act(tasks, poster, self._lanes.finished(errand, outcome or Answered(200), ended - began, ended))
        await self._settle(errand.promise, decision, errand.target, outcome)

    async def _try(self, poster: CallbackHttpClient, errand: DeliveryAttempt) -> tuple[DeliveryOutcome | None, Verdict]:
        promise = errand.promise
        file = limits_for(self._settings.tenants, promise.ref.tenant_id).callback_secret_file
        try:
            secret = self._secrets.key(file) if file is not None else b""
        except SecretUnreadable as error:
            log.error("callback secret unreadable", tenant_id=promise.ref.tenant_id, reason=str(error))
            return None, RetryLaterAt(backoff_seconds(promise.tries, random.random), "its secret is unreadable")
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": promise.ref.colon_form,
            HEADER: sign(secret, int(time.time()), promise.result),
        }
        outcome = await poster.post(errand.target, headers, promise.result)
        return outcome, decide(outcome, self._age(promise), random.random)

    def _age(self, promise: OutboxEntry) -> Age:
        seconds = max(0.0, time.monotonic() - promise.since)
        return Age(promise.tries, seconds, self._settings.callbacks.max_seconds, time.time())

    async def _settle(
        self,
        promise: OutboxEntry,
        decision: Verdict,
        target: CallbackTarget | None,
        outcome: DeliveryOutcome | None = None,
    ) -> None:
        """Tell the outbox."""
        line = log.bind(job=str(promise.ref), tenant_id=promise.ref.tenant_id, tries=promise.tries)
        match decision:
            case Delivered():
                line.debug("callback delivered")
                self._delivered.append(promise)
                self._some_delivered.set()
                return
            case RetryLaterAt(delay_seconds=delay, reason=reason):
                line.debug("callback later", reason=reason, delay_seconds=round(delay, 3))
                await self._availability.retry_until_available(
                    lambda: self._outbox.later(promise, max(1, round(delay * 1000)))
                )
            case GiveUp(reason=reason):
                line.warning("callback given up", reason=reason, receiver=target.origin if target else None)
                if outcome is None:
                    self._metrics.callbacks.labels("final").inc()
                event = failed_event(promise, reason, outcome, self._settings.worker.id)
                await self._availability.retry_until_available(lambda: self._outbox.failed(promise, event))
        self._release(promise)

    async def _confirm(self) -> None:
        """Delivered promises go to the outbox in as few calls as there is time between them."""
        while True:
            await self._some_delivered.wait()
            self._some_delivered.clear()
            batch, self._delivered = self._delivered, []
            await self._availability.retry_until_available(partial(self._outbox.done, batch))
            for promise in batch:
                self._release(promise)

    def _release(self, promise: OutboxEntry) -> None:
        self.held.discard(promise.id)
        self._room.set()
        if not self.held:
            self._nothing_held.set()


def failed_event(promise: OutboxEntry, reason: str, outcome: DeliveryOutcome | None, worker_id: str) -> bytes:
    """The event of a callback that was given up. It does not name the URL: who has it can resume the flow."""
    status = outcome.status if isinstance(outcome, Answered) else None
    return encode_event(
        TenantEvent(
            event="callback_failed",
            job_id=promise.ref.job_id,
            tenant_id=promise.ref.tenant_id,
            worker_id=worker_id,
            error=ResultError(type="callback_failed", message=reason, retryable=False),
            detail={"status": status, "tries": promise.tries + 1},
        )
    )

"""Takes entries from the outbox and delivers their callbacks."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import msgspec

from pageworker_sandbox.task_group import TaskGroup
from pageworker_supervisor.config.settings import CallbackSettings, TenantSettings
from pageworker_supervisor.contract.callback_url import CallbackTarget, allowed
from pageworker_supervisor.contract.event import TenantEvent, encode_event
from pageworker_supervisor.contract.job_errors import UNREADABLE
from pageworker_supervisor.contract.job_fields import fields_of_result
from pageworker_supervisor.contract.result import ResultError
from pageworker_supervisor.delivery.callback_policy import (
    Answered,
    Delivered,
    DeliveryDecision,
    DeliveryOutcome,
    EntryAge,
    GiveUp,
    ReceiverUnreachable,
    RetryLaterAt,
    backoff_seconds,
    decide,
    decide_event,
    is_gone,
)
from pageworker_supervisor.delivery.callback_secrets import CallbackSecretUnreadable
from pageworker_supervisor.delivery.http_client import CallbackHttpClient
from pageworker_supervisor.delivery.outbox import OutboxClient, OutboxEntry, RetriesRedis
from pageworker_supervisor.delivery.receiver_queues import Action, DeliveryAttempt, Postpone, ReceiverQueues, Start
from pageworker_supervisor.delivery.signature import HEADER, sign
from pageworker_supervisor.delivery.standard_webhooks import message_id, webhook_headers
from pageworker_supervisor.telemetry import log
from pageworker_supervisor.telemetry.metrics import Metrics
from pageworker_supervisor.tracing.job_trace import CallbackTrace, Tracer
from pageworker_supervisor.tracing.trace_context import trace_id_of

ENTRIES_PER_SLOT = 2
"""Entries held per slot of `callbacks.concurrency`, those included that wait for their receiver."""
ENTRIES_PER_TAKE = 64
BLOCK_MS = 500
"""Below the socket timeout of any Redis client, and short: `stop` waits for it."""
FORGET_SECONDS = 60.0
FACT_CHARS = 200

OUTCOMES: dict[type[DeliveryDecision], str] = {Delivered: "delivered", RetryLaterAt: "later", GiveUp: "final"}
"""The values of the label `outcome` of the metric."""


class CallbackSender:
    """Delivers callbacks at least once, with one queue per receiver.

    If the worker dies, the outbox gives the entries that it held to another worker when their lease runs out. Receivers
    recognise repeats by `Idempotency-Key`.
    """

    def __init__(
        self,
        outbox: OutboxClient,
        availability: RetriesRedis,
        callbacks: CallbackSettings,
        worker_id: str,
        tenant_settings: Callable[[str], TenantSettings],
        secret_of: Callable[[str, TenantSettings], Awaitable[bytes]],
        metrics: Metrics,
        tracer: Tracer | None = None,
    ) -> None:
        self.held: set[str] = set()
        """Ids of entries that are taken and not settled yet."""
        self._outbox = outbox
        self._availability = availability
        self._callbacks = callbacks
        self._worker_id = worker_id
        self._tenant_settings = tenant_settings
        self._metrics = metrics
        self._secret_of = secret_of
        self._tracer = tracer
        self._queues = ReceiverQueues(callbacks.concurrency, callbacks.host_concurrency, random.random)
        self._space = asyncio.Event()
        self._stopping = False
        self._taken = asyncio.Event()
        self._nothing_held = asyncio.Event()
        self._nothing_held.set()
        self._delivered: list[tuple[OutboxEntry, bytes]] = []
        """With the facts for the job's history."""
        self._some_delivered = asyncio.Event()

    async def run(self) -> None:
        """Deliver until cancelled. Entries that are held then come again when their lease runs out; see `stop`."""
        async with (
            CallbackHttpClient(self._callbacks.concurrency) as client,
            TaskGroup() as tasks,
        ):
            tasks.create_task(self._confirm(), name="confirm callbacks")
            await self._take(tasks, client)
            for delivery in self._queues.leave():
                tasks.create_task(self._settle(delivery.entry, RetryLaterAt(0.0, "the worker stops"), delivery.target))

    def use(self, callbacks: CallbackSettings) -> None:
        """Send with these settings from now on. Callbacks that are under way keep their time limit."""
        self._callbacks = callbacks
        self._queues.resize(callbacks.concurrency, callbacks.host_concurrency)
        self._space.set()

    async def stop(self) -> None:
        """Take no more entries, and wait until those that are held are settled, while `run` still runs.

        If Redis answers, this takes at most `callbacks.timeout_seconds` and one blocked take.
        """
        self._stopping = True
        self._space.set()
        await self._taken.wait()
        await self._nothing_held.wait()

    async def _take(self, tasks: asyncio.TaskGroup, client: CallbackHttpClient) -> None:
        tidied = time.monotonic()
        while not self._stopping:
            self._space.clear()
            most = self._callbacks.concurrency * ENTRIES_PER_SLOT
            if len(self.held) >= most:
                await self._space.wait()
                continue
            for entry in await self._availability.retry_until_available(
                partial(self._take_some, most - len(self.held))
            ):
                # An entry that was held for longer than its lease is given out again, perhaps to this worker.
                if entry.id not in self.held:
                    self.held.add(entry.id)
                    self._nothing_held.clear()
                    await self._accept(tasks, client, entry)
            if time.monotonic() - tidied > FORGET_SECONDS:
                tidied = time.monotonic()
                self._queues.forget(tidied)
        self._taken.set()

    def _take_some(self, most: int) -> Awaitable[Sequence[OutboxEntry]]:
        return self._outbox.take(min(ENTRIES_PER_TAKE, most), BLOCK_MS)

    async def _accept(self, tasks: asyncio.TaskGroup, client: CallbackHttpClient, entry: OutboxEntry) -> None:
        """Check the URL again before every try: the settings may have changed since the intake."""
        url = entry.callback_url or ""
        now = time.monotonic()
        try:
            tenant = self._tenant_settings(entry.ref.tenant_id)
            target = CallbackTarget.parse(url)
            covered = allowed(url, tenant.callback_allow)
        except Exception as bug:  # noqa: BLE001 - one entry must not end the worker, and every worker after it
            await self._settle(entry, _given_up_by_bug(entry, bug), None)
            return
        if target is None or not covered:
            await self._settle(entry, GiveUp("the tenant's callback_allow does not cover its URL"), target)
        elif tenant.callback_secret_file is None and tenant.callback_secret is None:
            await self._settle(entry, GiveUp("the tenant has no callback secret"), target)
        else:
            self._act(tasks, client, self._queues.offer(DeliveryAttempt(entry, target, now), now))

    def _act(self, tasks: asyncio.TaskGroup, client: CallbackHttpClient, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Start(delivery=delivery):
                    tasks.create_task(self._deliver(tasks, client, delivery), name=f"callback {delivery.entry.ref}")
                case Postpone(delivery=delivery, delay_seconds=delay):
                    later = RetryLaterAt(delay, "its receiver is busy or failing")
                    tasks.create_task(self._settle(delivery.entry, later, delivery.target))

    async def _deliver(self, tasks: asyncio.TaskGroup, client: CallbackHttpClient, delivery: DeliveryAttempt) -> None:
        began = time.monotonic()
        try:
            outcome, decision = await self._try(client, delivery)
        except Exception as bug:  # noqa: BLE001 - one entry must not end the worker, and every worker after it
            outcome, decision = None, _given_up_by_bug(delivery.entry, bug)
        ended = time.monotonic()
        if outcome is not None:
            self._metrics.results.callback(OUTCOMES[type(decision)], ended - began)
        # An unreadable secret or a bug says nothing about the receiver. Its queue goes on as if it had answered.
        self._act(tasks, client, self._queues.finished(delivery, outcome or Answered(200), ended - began, ended))
        await self._settle(delivery.entry, decision, delivery.target, outcome)

    async def _try(
        self, client: CallbackHttpClient, delivery: DeliveryAttempt
    ) -> tuple[DeliveryOutcome | None, DeliveryDecision]:
        entry = delivery.entry
        tenant = self._tenant_settings(entry.ref.tenant_id)
        try:
            secret = await self._secret_of(entry.ref.tenant_id, tenant)
        except CallbackSecretUnreadable as error:
            line = log.bind(**fields_of_entry(entry))
            line.error("callback secret unreadable", reason=str(error))
            return None, RetryLaterAt(backoff_seconds(entry.tries, random.random), "its secret is unreadable")
        headers = {**tenant.callback_headers, **entry_headers(entry, secret, int(time.time()))}
        trace = callback_trace(self._tracer, entry) if self._tracer is not None else None
        if (parent := trace.traceparent if trace is not None else entry.trace) is not None:
            headers["traceparent"] = parent
        outcome = await client.post(delivery.target, headers, entry.result, self._callbacks.timeout_seconds)
        if trace is not None:
            status = outcome.status if isinstance(outcome, Answered) else None
            trouble = outcome.trouble.value if isinstance(outcome, ReceiverUnreachable) else None
            trace.ended(delivery.target.host, delivery.target.port, entry.tries, status, trouble)
        decider = decide if entry.subscription is None else decide_event
        return outcome, decider(outcome, self._age(entry), random.random)

    def _age(self, entry: OutboxEntry) -> EntryAge:
        seconds = max(0.0, time.monotonic() - entry.since)
        return EntryAge(entry.tries, seconds, self._callbacks.max_seconds, time.time())

    async def _settle(
        self,
        entry: OutboxEntry,
        decision: DeliveryDecision,
        target: CallbackTarget | None,
        outcome: DeliveryOutcome | None = None,
    ) -> None:
        """Settle an entry: delivered, later, or given up."""
        line = log.bind(**fields_of_entry(entry), tries=entry.tries + 1)
        facts = callback_facts(entry, decision, outcome, self._worker_id)
        match decision:
            case Delivered():
                line.debug("callback delivered")
                self._delivered.append((entry, facts))
                self._some_delivered.set()
                return
            case RetryLaterAt(delay_seconds=delay, reason=reason):
                line.debug("callback later", reason=reason, delay_seconds=round(delay, 3))
                tried = outcome is not None
                await self._availability.retry_until_available(
                    lambda: self._outbox.later(entry, max(1, round(delay * 1000)), facts, failed=tried)
                )
            case GiveUp(reason=reason):
                line.warning("callback given up", reason=reason, receiver=target.origin if target else None)
                if outcome is None:
                    self._metrics.results.callbacks.labels(OUTCOMES[GiveUp]).inc()
                event = failed_event(entry, reason, outcome, self._worker_id)
                gone = is_gone(outcome)
                await self._availability.retry_until_available(
                    lambda: self._outbox.failed(entry, event, facts, gone=gone)
                )
        self._release(entry)

    async def _confirm(self) -> None:
        """Settle delivered entries, as many per call as have gathered since the last call."""
        while True:
            await self._some_delivered.wait()
            self._some_delivered.clear()
            batch, self._delivered = self._delivered, []
            entries, facts = [entry for entry, _ in batch], [each for _, each in batch]
            await self._availability.retry_until_available(partial(self._outbox.done, entries, facts))
            for entry in entries:
                self._release(entry)

    def _release(self, entry: OutboxEntry) -> None:
        self.held.discard(entry.id)
        self._space.set()
        if not self.held:
            self._nothing_held.set()


def entry_headers(entry: OutboxEntry, secret: bytes, timestamp: int) -> dict[str, str]:
    """The headers of one try of an entry that pageworker writes itself."""
    webhook_id = message_id(entry.id)
    return {
        "Content-Type": "application/json",
        "Idempotency-Key": entry.idempotency_key if entry.subscription is None else webhook_id,
        HEADER: sign(secret, timestamp, entry.result),
        **webhook_headers(secret, webhook_id, timestamp, entry.result),
    }


class _TracedResult(msgspec.Struct):
    """What names the trace of a result."""

    trace_id: str | None = None
    endpoint_module: str = ""


class _TracedEvent(msgspec.Struct):
    """The body of an event; `data` may be a result."""

    data: _TracedResult


_traced, _traced_event = msgspec.json.Decoder(_TracedResult), msgspec.json.Decoder(_TracedEvent)


def callback_trace(tracer: Tracer, entry: OutboxEntry) -> CallbackTrace | None:
    """The span of a POST of this entry's result; None if its job is not sampled, or its result cannot be read. A batch
    has no trace."""
    if entry.is_batch:
        return None
    try:
        result = _traced.decode(entry.result) if entry.subscription is None else _traced_event.decode(entry.result).data
    except UNREADABLE:
        return None
    trace_id, module = result.trace_id or trace_id_of(None, entry.ref), result.endpoint_module.partition("@")[0]
    trace = tracer.job(entry.ref, trace_id, entry.trace, module)
    return None if trace is None else trace.callback()


def fields_of_entry(entry: OutboxEntry) -> dict[str, str | None]:
    """The fields of a log line of this entry."""
    if entry.is_batch:
        return {"batch": str(entry.ref), "tenant_id": entry.ref.tenant_id}
    return fields_of_result(entry.ref, entry.result)


def _given_up_by_bug(entry: OutboxEntry, bug: Exception) -> GiveUp:
    line = log.bind(**fields_of_entry(entry))
    line.opt(exception=bug).error("callback ended by a bug")
    return GiveUp("a bug of the worker; its log has the details")


def callback_facts(
    entry: OutboxEntry, decision: DeliveryDecision, outcome: DeliveryOutcome | None, worker_id: str
) -> bytes:
    """JSON of one try for the job's history. It does not name the URL, as that of `failed_event`."""
    facts: dict[str, object] = {"worker": worker_id, "tries": entry.tries + 1}
    if isinstance(outcome, Answered):
        facts["status"] = outcome.status
    if entry.subscription is not None:
        facts["subscription"] = entry.subscription
    if not isinstance(decision, Delivered):
        facts["reason"] = decision.reason[:FACT_CHARS]
    return msgspec.json.encode(facts)


def failed_event(entry: OutboxEntry, reason: str, outcome: DeliveryOutcome | None, worker_id: str) -> bytes:
    """The event of a callback that was given up. It does not name the URL, which can resume an n8n execution."""
    status = outcome.status if isinstance(outcome, Answered) else None
    of_subscription = {} if entry.subscription is None else {"subscription_id": entry.subscription}
    return encode_event(
        TenantEvent(
            event="callback_failed",
            job_id="" if entry.is_batch else entry.ref.job_id,
            batch_id=entry.ref.job_id if entry.is_batch else "",
            tenant_id=entry.ref.tenant_id,
            worker_id=worker_id,
            error=ResultError(type="callback_failed", message=reason, retryable=False),
            detail={"status": status, "tries": entry.tries + 1, **of_subscription},
        )
    )

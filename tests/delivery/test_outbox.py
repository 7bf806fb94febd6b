"""The callback sender on the real outbox: entries survive the death of their sender."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pw_queue import QueueHarness, open_harness, ticket
from pw_receiver import Received, Receiver, receiver
from pw_servers import RedisServer
from standardwebhooks import Webhook

from pageworker_supervisor.config.settings import CallbackSettings, Settings, TenantSettings
from pageworker_supervisor.config.tenant_lookup import limits_for
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.delivery.callback_secrets import CallbackSecrets
from pageworker_supervisor.delivery.callback_sender import CallbackSender
from pageworker_supervisor.delivery.outbox import OutboxEntry
from pageworker_supervisor.queue.subscriptions import new_subscription_id
from pageworker_supervisor.redis_client.availability import Availability
from pageworker_supervisor.secrets.open_backend import open_backend
from pageworker_supervisor.secrets.store import SecretStore
from pageworker_supervisor.telemetry.metrics import Metrics

pytestmark = pytest.mark.redis

SECRET = "a secret of sixteen bytes or more"


@pytest.fixture
async def harness(live_redis: RedisServer) -> AsyncIterator[QueueHarness]:
    async with open_harness(live_redis.port) as opened:
        yield opened
        assert await opened.queue.inspection.check_consistency() == []


@pytest.fixture
async def there() -> AsyncIterator[Receiver]:
    async with receiver() as listening:
        yield listening


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    return Settings(
        tenants={"*": TenantSettings(callback_allow=("http://127.0.0.1:*",), callback_secret_file=secret)},
        callbacks=CallbackSettings(timeout_seconds=5),
    )


async def answers() -> None:
    """Redis always does, here."""


@asynccontextmanager
async def delivering(harness: QueueHarness, settings: Settings) -> AsyncIterator[CallbackSender]:
    """A callback sender. At the end of the block it dies in the middle of its work."""
    callback_sender = CallbackSender(
        harness.outbox,
        Availability(answers),
        settings.callbacks,
        settings.worker.id,
        partial(limits_for, settings.tenants),
        CallbackSecrets(SecretStore(open_backend(settings.secrets, {}))).secret,
        Metrics(),
    )
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(callback_sender.run())
        yield callback_sender
        running.cancel()


async def finish(harness: QueueHarness, urls: Sequence[str]) -> list[str]:
    """Jobs that have ended, each with a callback to its URL."""
    jobs = [f"job-{number}" for number in range(len(urls))]
    await harness.producer.enqueue([ticket(job_id) for job_id in jobs])
    url_of = dict(zip(jobs, urls, strict=True))
    for lease in await harness.take():
        result = json.dumps({"job_id": lease.job_id, "status": "succeeded"}).encode()
        assert await harness.consumer.finish(lease, status="succeeded", result=result, callback=url_of[lease.job_id])
    return jobs


async def settled(harness: QueueHarness, callback_sender: CallbackSender) -> None:
    """Stop the sender. Then no entry is left in the outbox."""
    async with asyncio.timeout(20):
        await callback_sender.stop()
    assert (await harness.inspection.stats())[0].outbox_entries == 0


async def test_a_finished_job_is_delivered_and_its_outbox_entry_ends(
    harness: QueueHarness, there: Receiver, settings: Settings
) -> None:
    async with delivering(harness, settings) as callback_sender:
        jobs = await finish(harness, [there.url("/ok")] * 50)
        await there.until(50)
        await settled(harness, callback_sender)
    assert sorted(each.job_id for each in there.received) == sorted(jobs)
    assert all(json.loads(each.body)["job_id"] == each.job_id for each in there.received)


async def test_n8n_that_has_not_stored_its_execution_is_asked_again_at_once(
    harness: QueueHarness, there: Receiver, settings: Settings
) -> None:
    async with delivering(harness, settings) as callback_sender:
        await finish(harness, [there.url("/running?times=5")])
        await there.until(6)
        await settled(harness, callback_sender)
    steps = [after.at - before.at for before, after in itertools.pairwise(there.received)]
    assert len(steps) == 5
    assert max(steps) < 1.0


async def test_a_callback_sender_killed_in_the_middle_loses_nothing(
    harness: QueueHarness, there: Receiver, settings: Settings, live_redis: RedisServer
) -> None:
    async with delivering(harness, settings):
        jobs = await finish(harness, [there.url("/slow")] * 10 + [there.url("/ok")] * 10)
        await there.until(10, "/slow")
    there.hold.set()
    assert (await harness.inspection.stats())[0].outbox_entries >= 10
    # For a minute they are leased to the dead worker. After that any worker may take them.
    await harness.later(61_000)
    async with open_harness(live_redis.port) as restarted, delivering(restarted, settings) as callback_sender:
        await there.until_jobs(jobs, since=len(there.received))
        await settled(harness, callback_sender)
    assert {each.job_id for each in there.received} == set(jobs)
    again = [each for each in there.at("/slow") if each.job_id == jobs[0]]
    assert len(again) >= 2
    assert again[0].body == again[1].body


async def test_two_callback_senders_share_the_outbox_without_doubles(
    harness: QueueHarness, there: Receiver, settings: Settings, live_redis: RedisServer
) -> None:
    async with (
        open_harness(live_redis.port) as other,
        delivering(harness, settings) as one,
        delivering(other, settings) as two,
    ):
        jobs = await finish(harness, [there.url("/ok")] * 100)
        await there.until(100)
        await asyncio.gather(one.stop(), two.stop())
    assert sorted(each.job_id for each in there.received) == sorted(jobs)


async def test_what_is_given_up_is_announced_and_its_result_stays(
    harness: QueueHarness, there: Receiver, settings: Settings
) -> None:
    async with harness.client.pubsub() as events:
        await events.subscribe("pw:events:acme")
        async with delivering(harness, settings):
            await finish(harness, [there.url("/finished")])
            event = await heard(events)
    assert (event["event"], event["job_id"]) == ("callback_failed", "job-0")
    assert event["detail"] == {"status": 409, "tries": 1}
    assert json.loads(await harness.client.get("pw:result:acme:job-0"))["status"] == "succeeded"
    assert len(there.received) == 1


async def heard(events: Any) -> dict[str, Any]:
    """The next message of a subscription."""
    while True:
        message = await events.get_message(ignore_subscribe_messages=True, timeout=5)
        if message is not None:
            decoded: dict[str, Any] = json.loads(message["data"])
            return decoded


async def test_stopping_gives_back_what_waits_for_the_next_worker_at_once(
    harness: QueueHarness, there: Receiver, settings: Settings
) -> None:
    async with delivering(harness, settings) as callback_sender, asyncio.TaskGroup() as tasks:
        await finish(harness, [there.url("/slow")] * 40)
        await there.until(16)
        stopping = tasks.create_task(callback_sender.stop())
        there.hold.set()
        await stopping
    left: list[OutboxEntry] = await harness.outbox.take(100, 0)
    delivered: list[Received] = there.received
    assert len(left) + len({each.job_id for each in delivered}) == 40
    await harness.outbox.done(left)


async def test_a_subscription_gets_results_signed_beside_the_callback_and_ends_with_410(
    harness: QueueHarness, there: Receiver, settings: Settings
) -> None:
    """One receiver gets everything, one fails at first as no callback may, one wants no more."""
    for path in ("/ok?events", "/then/404?times=1", "/status/410"):
        await harness.queue.subscriptions.add("acme", new_subscription_id(), there.url(path), ["job.*"], [])
    async with delivering(harness, settings) as callback_sender:
        await finish(harness, [there.url("/ok?callback")])
        await there.until(4)
        await there.until(2, "/then")
        await settled(harness, callback_sender)
    (callback,), (event,), (_, again), _ = map(there.at, ("/ok?callback", "/ok?events", "/then", "/status"))
    library = Webhook(SECRET.encode())
    assert library.verify(callback.body, callback.headers) == {"job_id": "job-0", "status": "succeeded"}
    for each in (event, again):
        body = library.verify(each.body, each.headers)
        assert (body["type"], body["data"]) == ("job.succeeded", json.loads(callback.body))
        assert each.headers["idempotency-key"] == each.headers["webhook-id"]
        assert each.headers["pageworker-signature"].startswith("t=")
    assert callback.headers["idempotency-key"] == "acme:job-0"
    assert len({each.headers["webhook-id"] for each in there.received}) == 4
    left = await harness.queue.subscriptions.of("acme")
    assert [each.url for each in left] == [there.url("/ok?events"), there.url("/then/404?times=1")]
    assert all(each.delivered_at is not None and each.waiting == 0 for each in left)
    details = await harness.queue.inspection.details(JobRef("acme", "job-0"))
    assert details is not None
    told = [(line.event, line.facts.get("subscription"), line.facts.get("status")) for line in details.history[-5:]]
    ids = [each.subscription_id for each in left]
    assert {("callback_delivered", None, 200), *(("callback_delivered", id_, 200) for id_ in ids)} <= set(told)
    assert ("callback_later", ids[1], 404) in told
    assert sorted(event for event, _, _ in told) == sorted(
        ["callback_delivered"] * 3 + ["callback_later", "callback_failed"]
    )

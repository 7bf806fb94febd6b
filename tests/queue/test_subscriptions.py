"""Subscriptions on a real Redis: what a result or an event is promised to, and how a promise ends."""

import json
from collections.abc import Sequence

from pw_queue import JobEnd, QueueHarness, ticket
from pw_servers import RedisServer

from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.delivery.callback_sender import failed_event
from pageworker_supervisor.queue.outbox import OutboxEntry
from pageworker_supervisor.queue.subscriptions import Subscription, is_subscription_id, new_subscription_id

URL = "https://hooks.test/a"
DAY_MS = 24 * 3600 * 1000


async def subscribe(
    harness: QueueHarness, events: Sequence[str], modules: Sequence[str] = (), url: str = URL, tenant: str = "acme"
) -> str:
    added = await harness.queue.subscriptions.add(tenant, new_subscription_id(), url, events, modules)
    assert added is not None
    return added.subscription.subscription_id


async def one_of(harness: QueueHarness, tenant: str = "acme") -> Subscription:
    (found,) = await harness.queue.subscriptions.of(tenant)
    return found


async def end_job(harness: QueueHarness, name: str, status: str = "succeeded", events: Sequence[bytes] = ()) -> None:
    """A job of acme, as a worker ends it."""
    await harness.producer.enqueue([ticket(name, module=("test.module", None))])
    result = json.dumps({"job_id": name, "status": status}).encode()
    end = JobEnd(status=status, result=result, events=events)
    assert await harness.consumer.finish(await harness.one(), **end)


async def taken(harness: QueueHarness) -> list[OutboxEntry]:
    """What is due, those entries included that were taken before."""
    await harness.later(61_000)
    harness.outbox.announce()
    return await harness.outbox.take(100, 0)


async def test_a_result_is_promised_to_each_subscription_that_wants_it(harness: QueueHarness) -> None:
    wants = {
        await subscribe(harness, ["job.succeeded"]): {"1"},
        await subscribe(harness, ["job.*"]): {"1", "2", "3"},
        await subscribe(harness, ["job.*"], ["no.*", "test.module"], URL + "?module"): {"1", "2", "3"},
        await subscribe(harness, ["job.*"], ["shop*", "test"]): set(),
        await subscribe(harness, ["event.blocked", "job.rejected"]): {"4", "blocked"},
    }
    await subscribe(harness, ["job.*"], tenant="beta")
    await end_job(harness, "1")
    await end_job(harness, "2", "failed")
    blocked = b'{"event":"blocked","tenant_id":"acme","job_id":"3"}'
    await end_job(harness, "3", "blocked", [blocked])
    rejected = {"job_id": "4", "status": "rejected", "endpoint_module": "test.module@1.0.0"}
    for _ in range(2):
        await harness.producer.reject(b"{", "wrong", JobRef("acme", "4"), json.dumps(rejected).encode())
    found: dict[str, set[str]] = {id_: set() for id_ in wants}
    for entry in await harness.outbox.take(100, 0):
        body = json.loads(entry.result)
        assert set(body) == {"type", "timestamp", "data"}
        assert entry.ref == JobRef("acme", body["data"]["job_id"])
        assert body["type"] in {f"job.{body['data'].get('status')}", "event.blocked"}
        assert entry.subscription is not None
        event = body["type"].removeprefix("event.")
        found[entry.subscription].add(entry.ref.job_id if event.startswith("job.") else event)
    every = list(wants)
    wants[every[1]].add("4")
    wants[every[2]].add("4")
    assert found == wants


async def test_a_tenant_without_subscriptions_costs_no_command(harness: QueueHarness) -> None:
    async def calls() -> int:
        return sum(int(row["calls"]) for row in (await harness.client.info("commandstats")).values())

    async def commands(name: str) -> int:
        await harness.producer.enqueue([ticket(name)])
        lease = await harness.one()
        before = await calls()
        assert await harness.consumer.finish(lease, status="succeeded", result=b"{}")
        return await calls() - before

    await commands("first")
    without = await commands("1")
    await subscribe(harness, ["job.*"], tenant="beta")
    await commands("looks once")
    assert await commands("2") == without


async def test_the_same_request_again_is_the_same_subscription(harness: QueueHarness) -> None:
    first = await subscribe(harness, ["job.*"])
    assert is_subscription_id(first)
    assert await subscribe(harness, ["job.*"]) == first
    others = [await subscribe(harness, ["job.*"], url=f"{URL}{n}") for n in range(9)]
    assert await harness.queue.subscriptions.add("acme", new_subscription_id(), URL + "more", ["job.*"], []) is None
    assert [each.subscription_id for each in await harness.queue.subscriptions.of("acme")] == [first, *others]
    assert not await harness.queue.subscriptions.remove("beta", first)
    for there in (True, False):
        assert await harness.queue.subscriptions.remove("acme", first) is there


async def test_what_waits_ends_with_its_subscription(harness: QueueHarness) -> None:
    id_ = await subscribe(harness, ["job.*"])
    await end_job(harness, "1")
    assert (await one_of(harness)).waiting == 1
    await harness.queue.subscriptions.remove("acme", id_)
    assert await taken(harness) == []
    assert (await harness.inspection.stats())[0].outbox_entries == 0


async def test_a_receiver_that_answers_410_is_not_called_again(harness: QueueHarness) -> None:
    await subscribe(harness, ["job.*"])
    await end_job(harness, "1")
    (entry,) = await taken(harness)
    await harness.outbox.failed(entry, failed_event(entry, "HTTP 410", None, "w1"), gone=True)
    assert await harness.queue.subscriptions.of("acme") == []


async def test_a_receiver_that_fails_for_three_days_is_not_called_until_it_is_asked_for(
    harness: QueueHarness, live_redis: RedisServer
) -> None:
    listener = harness.client.pubsub(ignore_subscribe_messages=True)
    await listener.subscribe("pw:events:acme")
    await listener.get_message(timeout=5)
    id_ = await subscribe(harness, ["event.callback_failed", "job.*"])

    async def try_once(name: str) -> None:
        await end_job(harness, name)
        for entry in await taken(harness):
            await harness.outbox.failed(entry, failed_event(entry, "HTTP 500", None, "w1"))

    await try_once("1")
    await end_job(harness, "2")
    (entry,) = await taken(harness)
    await harness.outbox.done([entry])  # one delivery, and the days are counted anew
    assert (await one_of(harness)).failing_since is None
    assert (await one_of(harness)).delivered_at is not None
    await try_once("3")
    await harness.later(2 * DAY_MS)
    await end_job(harness, "4")
    (entry,) = await taken(harness)
    await harness.outbox.later(entry, 1, failed=True)
    assert (await one_of(harness)).state == "active"
    await harness.later(DAY_MS)
    await try_once("5")
    found = await one_of(harness)
    assert (found.state, found.reason) == ("disabled", "no delivery has succeeded for 3 days")
    await end_job(harness, "6")
    assert await taken(harness) == []
    assert (await one_of(harness)).waiting == 0
    told = []
    while (message := await listener.get_message(timeout=0.5)) is not None:
        told.append(json.loads(message["data"])["event"])
    # A failure is not promised to the subscription that failed.
    assert told.count("subscription_disabled") == 1
    assert set(told) == {"callback_failed", "subscription_disabled"}
    await listener.aclose()
    assert await subscribe(harness, ["event.callback_failed", "job.*"]) == id_
    await end_job(harness, "7")
    assert len(await taken(harness)) == 1


async def test_what_waits_is_bounded(harness: QueueHarness) -> None:
    id_ = await subscribe(harness, ["job.*"])
    for field, most in (("waiting", 10_000), ("waiting_bytes", 16 * 1024 * 1024)):
        await harness.client.hset(f"pw:{{0}}:subscription:acme/{id_}", field, most)
        await end_job(harness, field)
        await harness.client.hset(f"pw:{{0}}:subscription:acme/{id_}", field, 0)
    assert await taken(harness) == []
    assert (await one_of(harness)).dropped == 2
    await end_job(harness, "1")
    assert [entry.ref.job_id for entry in await taken(harness)] == ["1"]

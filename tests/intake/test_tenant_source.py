"""The inboxes of tenants on a real Redis: what is pushed there, whose it is, and what becomes of it after a fault."""

import asyncio
import json
from typing import Any

import pytest
from pw_intake import Counter, job, of_tenants
from pw_servers import RedisServer, RespProxy

from pageworker_supervisor.config.settings import RedisSettings, TenantSettings
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.intake import tenant_source
from pageworker_supervisor.intake.timing import IntakeTimeouts
from pageworker_supervisor.redis_client.factory import connect

BOTH = of_tenants("acme", "rival")
PROCESSING = "{pw:inbox}:tenants:processing:"
RARELY = IntakeTimeouts(block_seconds=0.5, upkeep_seconds=1000.0, silent_seconds=1.0, forget_seconds=2.0)
"""Without an upkeep that would find what a notice did not tell."""


async def result_of(counter: Counter, tenant: str, job_id: str) -> Any:
    text = await counter.queue.inspection.result(JobRef(tenant, job_id))
    return None if text is None else json.loads(text)


async def test_jobs_come_in_by_list_and_stream(counter: Counter) -> None:
    async with counter.intake(admission=BOTH, timing=RARELY):
        for tenant in ("acme", "rival"):
            await counter.push_to(tenant, *(job(number, tenant) for number in range(3)))
            await counter.add_to(tenant, *(job(number, tenant) for number in range(3, 6)))
        await counter.push(job(6), job(6, "rival"))
        await counter.reached(14)
        await counter.settled()
    assert sorted(await counter.order()) == sorted(
        [f"{tenant}-{number}" for tenant in ("acme", "rival") for number in range(6)] + ["acme-6", "rival-6"]
    )


async def test_a_notice_is_enough(counter: Counter) -> None:
    async with counter.intake(admission=BOTH, timing=RARELY):
        for number in range(0, 8, 2):
            # Taken before the next push, so that no look at all inboxes finds it.
            await counter.push_to("acme", job(number))
            await counter.reached(number + 1)
            await counter.add_to("rival", job(number, "rival"))
            await counter.reached(number + 2)
        await counter.settled()


async def test_what_was_pushed_before_the_start_is_taken(counter: Counter) -> None:
    await counter.push_to("acme", job(1))
    await counter.add_to("rival", job(1, "rival"))
    async with counter.intake(admission=BOTH, timing=RARELY):
        await counter.reached(2)
        await counter.settled()


async def test_a_job_that_names_another_tenant_is_rejected_to_its_own(counter: Counter) -> None:
    async with counter.redis_client.commands.pubsub() as channel, asyncio.timeout(20):
        await channel.psubscribe("pw:events:*")
        async with counter.intake(admission=BOTH):
            await counter.push_to("rival", job(1, "acme"))
            await counter.add_to("rival", job(2, "acme"))
            await counter.settled()
        heard = [message async for message in _messages(channel, 2)]
    assert [event["tenant_id"] for event in heard] == ["rival", "rival"]
    for number in (1, 2):
        assert await result_of(counter, "acme", f"acme-{number}") is None
        result = await result_of(counter, "rival", f"acme-{number}")
        assert (result["status"], result["error"]["type"]) == ("rejected", "tenant_mismatch")
        assert result["tenant_id"] == "rival"
    assert {letter.tenant_id for letter in await counter.letters()} == {"rival"}
    assert await counter.jobs() == 0


async def _messages(channel: Any, count: int) -> Any:
    while count:
        message = await channel.get_message(ignore_subscribe_messages=True, timeout=5)
        if message is not None:
            count -= 1
            yield json.loads(message["data"])


async def test_what_names_no_job_is_a_dead_letter_of_the_inboxs_tenant(counter: Counter) -> None:
    async with counter.intake(admission=BOTH):
        await counter.push_to("rival", b"garbage", b'{"tenant_id":"acme"}')
        await counter.add_to("rival", b"x", field="other")
        await counter.settled()
    letters = await counter.letters()
    assert [letter.tenant_id for letter in letters] == ["rival"] * 3
    assert await counter.queue.inspection.check_consistency() == []


async def test_a_text_of_another_tenant_suppresses_nothing(counter: Counter) -> None:
    """The same bytes, pushed by a rival first, do not count as a second reading."""
    bad = json.dumps({"job_id": "1", "tenant_id": "acme", "endpoint_module": "echo", "wrong": 1}).encode()
    good = job(2)
    async with counter.intake(admission=BOTH):
        await counter.push_to("rival", bad, good)
        await counter.settled()
        await counter.push_to("acme", bad, good)
        await counter.reached(1)
        await counter.settled()
    assert (await result_of(counter, "acme", "1"))["error"]["type"] == "unknown_field"
    assert len(await counter.letters()) == 3


async def test_the_common_inbox_is_closed_and_names_no_tenant(counter: Counter) -> None:
    async with counter.intake(admission=of_tenants("acme", require_origin=True)):
        await counter.push(job(1))
        await counter.add(job(2))
        await counter.push_to("acme", job(3))
        await counter.reached(1)
        await counter.settled()
    assert await counter.order() == ["acme-3"]
    letters = await counter.letters()
    assert [letter.tenant_id for letter in letters] == [None, None]
    assert all("the common inbox is closed" in str(letter.detail) for letter in letters)
    for number in (1, 2):
        assert await result_of(counter, "acme", f"acme-{number}") is None


async def test_a_tenant_that_is_configured_later_is_served(counter: Counter) -> None:
    await counter.push_to("later", job(1, "later"))
    async with counter.intake(admission=of_tenants("acme"), timing=RARELY) as intake:
        for number in (1, 2):  # the second one comes when notices are on
            await counter.push_to("acme", job(number))
            await counter.reached(number)
        assert await counter.redis_client.send("LLEN", "pw:inbox:later", key="pw:inbox") == 1
        intake.use(of_tenants("acme", "later"))
        await counter.reached(3)
        await counter.push_to("later", job(2, "later"))
        await counter.reached(4)
        intake.use(of_tenants("acme"))
        await counter.push_to("later", job(3, "later"))
        await counter.push_to("acme", job(3))
        await counter.reached(5)
    assert await counter.redis_client.send("DEL", "pw:inbox:later", key="pw:inbox") == 1


async def test_dead_workers_texts_are_taken_over_with_their_tenant(counter: Counter) -> None:
    send = counter.redis_client.send
    taken = [b"acme " + job(number) for number in range(3)] + [b"rival " + job(9)]
    await send("RPUSH", PROCESSING + "dead", *taken, key="pw:inbox")
    await send("ZADD", "{pw:inbox}:tenants:workers", 1, "dead", key="pw:inbox")
    await send("XGROUP", "CREATE", "pw:jobs:acme", "pw", "0", "MKSTREAM", key="pw:jobs")
    await counter.add_to("acme", *(job(number) for number in range(3, 6)))
    await send("XREADGROUP", "GROUP", "pw", "dead", "COUNT", 300, "STREAMS", "pw:jobs:acme", ">", key="pw:jobs")
    async with counter.intake(admission=BOTH):
        await counter.reached(6)
        await counter.settled()
    assert (await result_of(counter, "rival", "acme-9"))["error"]["type"] == "tenant_mismatch"


async def test_a_restarted_worker_finds_what_it_took(counter: Counter) -> None:
    send = counter.redis_client.send
    await send("RPUSH", PROCESSING + "w1", b"acme " + job(1), key="pw:inbox")
    await send("XGROUP", "CREATE", "pw:jobs:acme", "pw", "0", "MKSTREAM", key="pw:jobs")
    await counter.add_to("acme", job(2))
    await send("XREADGROUP", "GROUP", "pw", "w1", "COUNT", 300, "STREAMS", "pw:jobs:acme", ">", key="pw:jobs")
    async with counter.intake("w1", admission=BOTH, timing=RARELY):
        await counter.reached(2)
        await counter.settled()


@pytest.mark.parametrize("command", ["EVAL", "XREADGROUP", "FCALL"])
async def test_a_lost_reply_loses_no_job(counter: Counter, proxied_redis: RespProxy, command: str) -> None:
    redis_client = connect(RedisSettings(url=proxied_redis.url))
    async with counter.intake(redis_client=redis_client, admission=BOTH):
        for round_ in range(2):
            proxied_redis.drop_reply(1 + round_, command)
            await counter.push_to("acme", *(job(round_ * 100 + number) for number in range(7)))
            await counter.add_to("rival", *(job(round_ * 100 + number, "rival") for number in range(7)))
            if command != "XREADGROUP":
                async with asyncio.timeout(15):
                    await proxied_redis.dropped.wait()
        await counter.reached(28)
        await counter.settled()
    await redis_client.aclose()
    order = await counter.order()
    assert len(order) == len(set(order)) == 28


async def test_a_flooder_gets_queue_full_and_others_are_unchanged(counter: Counter) -> None:
    admission = of_tenants("acme", "rival", rival=TenantSettings(backlog_jobs=5))
    async with counter.intake(admission=admission):
        await counter.push_to("rival", *(job(number, "rival") for number in range(200)))
        await counter.push_to("acme", *(job(number) for number in range(20)))
        await counter.settled()
        await counter.reached(25)
    results = [await result_of(counter, "rival", f"rival-{number}") for number in range(200)]
    assert sum(result is None for result in results) == 5
    assert {result["error"]["type"] for result in results if result} == {"queue_full"}
    order = await counter.order()
    assert sorted(name for name in order if name.startswith("acme")) == sorted(f"acme-{n}" for n in range(20))
    assert {letter.tenant_id for letter in await counter.letters()} == {"rival"}


async def test_without_the_right_to_notices_all_inboxes_are_looked_at(
    counter: Counter, live_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenant_source, "UNWATCHED_SECONDS", 0.05)
    live_redis.command("ACL", "SETUSER", "few", "on", ">secret", "~*", "&*", "+@all", "-client|tracking")
    redis_client = connect(RedisSettings(url=live_redis.url.replace("://", "://few:secret@")))
    async with counter.intake(redis_client=redis_client, admission=BOTH, timing=RARELY):
        for number in range(3):
            await counter.push_to("acme", job(number))
            await counter.reached(number + 1)
    await redis_client.aclose()
    live_redis.command("ACL", "DELUSER", "few")


async def test_a_lost_connection_for_notices_loses_no_job(counter: Counter, live_redis: RedisServer) -> None:
    async with counter.intake(admission=BOTH, timing=RARELY):
        for number in range(4):
            await counter.push_to("acme", job(number))
            await counter.reached(number + 1)
            live_redis.command("CLIENT", "KILL", "TYPE", "pubsub")


@pytest.mark.parametrize(
    "words",
    [
        ("SET", "pw:inbox:acme", "x"),
        ("XADD", "pw:inbox:acme", "*", "job", "x"),
        ("RPUSH", "pw:jobs:acme", "x"),
        ("SET", "pw:jobs:acme", "x"),
    ],
    ids=" ".join,
)
async def test_a_key_of_another_type_stops_no_other_tenant(counter: Counter, words: tuple[str, ...]) -> None:
    send = counter.redis_client.send
    async with counter.intake(admission=BOTH), asyncio.timeout(4):  # less than the pause after a refused command
        for number in (0, 1):  # the second one comes when notices are on
            await counter.push_to("rival", job(number, "rival"))
            await counter.reached(number + 1)
        await send(*words, key="pw:inbox")
        for number in (2, 4):
            await counter.push_to("rival", job(number, "rival"))
            await counter.add_to("rival", job(number + 1, "rival"))
            await counter.reached(number + 2)
        await send("DEL", words[1], key="pw:inbox")
        await counter.add_to("acme", job(1))
        await counter.push_to("acme", job(2))
        await counter.reached(8)
        await counter.settled()


async def test_a_stream_of_another_type_stops_no_other_tenant(counter: Counter) -> None:
    """The Redis user of a tenant may LPUSH to the key of its stream. No worker stops to claim for that."""
    availability = counter.redis_client.availability
    async with counter.intake(admission=BOTH, timing=RARELY):
        for number in range(1, 5):
            await counter.redis_client.send("LPUSH", "pw:jobs:acme", "x", key="pw:jobs")
            await counter.push_to("acme", job(number))
            await counter.add_to("rival", job(number, "rival"))
            await counter.reached(2 * number)
            assert availability.trouble == ""
        await counter.redis_client.send("DEL", "pw:jobs:acme", key="pw:jobs")
        await counter.add_to("acme", job(5))
        await counter.reached(9)
        await counter.settled()


async def test_a_tenant_that_never_stops_to_push_delays_no_other(counter: Counter) -> None:
    """Its list is never empty, so the source never waits for notices. It hears them all the same."""

    async def push() -> None:
        while True:
            await counter.push_to("acme", *[job(1)] * 500)

    async with counter.intake(admission=BOTH, timing=RARELY):
        async with asyncio.TaskGroup() as tasks:
            pushing = tasks.create_task(push())
            await counter.reached(1)
            await counter.push_to("rival", job(1, "rival"))
            await counter.add_to("rival", job(2, "rival"))
            await counter.reached(3)
            pushing.cancel()
        await counter.redis_client.send("DEL", "pw:inbox:acme", key="pw:inbox")
        await counter.settled()

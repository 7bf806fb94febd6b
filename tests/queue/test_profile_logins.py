"""What is known of the logins of profiles, on a real Redis: every pair of the table, the record, and the event."""

import asyncio
import itertools
import json

import pytest
from pw_queue import QueueHarness

from pageworker_supervisor.contract.profile_login import TRANSITIONS, LoginEvent, ProfileLogin
from pageworker_supervisor.queue.profile_logins import LoginRecord

PAIRS = list(itertools.product(ProfileLogin, LoginEvent))
KEY = "pw:{0}:profile_login:acme/p1"


async def test_every_pair_is_as_in_the_table(harness: QueueHarness) -> None:
    logins = harness.queue.profile_logins
    for state, event in PAIRS:
        await harness.client.delete(KEY)
        if state is not ProfileLogin.UNKNOWN:
            await logins.report("acme", "p1", LoginEvent(state.value))
        change = await logins.report("acme", "p1", event)
        assert (change.before, change.after) == (state, TRANSITIONS[(state, event)])
        (record,) = await logins.read("acme", ["p1"])
        assert record.state is change.after
        assert bool(await harness.client.exists(KEY)) == (change.after is not ProfileLogin.UNKNOWN)


async def test_a_record_has_what_brought_its_state(harness: QueueHarness) -> None:
    logins = harness.queue.profile_logins
    url, evidence = "https://shop.example/2fa", {"text": 'Code "sent"'}
    await logins.report(
        "acme", "p1", LoginEvent.NEEDS_HUMAN, module="shop.cart", job_id="j1", url=url, evidence=evidence
    )
    (first,) = await logins.read("acme", ["p1"])
    assert (first.state, first.module, first.job_id) == (ProfileLogin.NEEDS_HUMAN, "shop.cart", "j1")
    assert (first.url, first.evidence) == (url, evidence)
    await harness.later(5000)
    await logins.report("acme", "p1", LoginEvent.NEEDS_LOGIN, job_id="j2", evidence={"text": "a form"})
    (then,) = await logins.read("acme", ["p1"])
    assert (then.state, then.job_id, then.evidence) == (ProfileLogin.NEEDS_HUMAN, "j1", evidence)
    assert then.since == first.since
    assert then.reported_at == pytest.approx(first.reported_at + 5, abs=1)
    assert await logins.read("acme", ["none", "p1"]) == [LoginRecord(), then]
    assert await logins.read("other", ["p1"]) == [LoginRecord()], "the profile of another tenant"
    assert 0 < await harness.client.ttl(KEY) <= 90 * 24 * 3600


async def test_a_change_is_an_event_and_a_repetition_is_none(harness: QueueHarness) -> None:
    logins = harness.queue.profile_logins
    async with harness.client.pubsub() as channel, asyncio.timeout(10):
        await channel.subscribe("pw:events:acme")
        heard = channel.listen()
        await anext(heard)
        for _ in range(2):
            await logins.report("acme", "p1", LoginEvent.AUTHENTICATED, module="shop.cart", job_id="j1")
        await logins.report("acme", "p1", LoginEvent.NEEDS_LOGIN, url="https://shop.example/login")
        first, second = [json.loads((await anext(heard))["data"]) for _ in range(2)]
    assert (first["event"], first["tenant_id"]) == ("profile_state", "acme")
    detail = first["detail"]
    assert (detail["profile_id"], detail["state"], detail["was"]) == ("p1", "authenticated", "unknown")
    assert (detail["module"], detail["job_id"]) == ("shop.cart", "j1")
    assert (second["detail"]["state"], second["detail"]["url"]) == ("needs_login", "https://shop.example/login")


async def test_a_removed_profile_is_unknown(harness: QueueHarness) -> None:
    logins = harness.queue.profile_logins
    await logins.report("acme", "p1", LoginEvent.AUTHENTICATED)
    await harness.queue.profile_stores.forget("acme", "p1")
    assert await logins.read("acme", ["p1"]) == [LoginRecord()]

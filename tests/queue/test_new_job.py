"""One id, pushed more than once: what is the same job, what is told its result, and what may use the id again."""

import json
from typing import Any

import pytest
from pw_queue import DONE, JobEnd, QueueHarness, ref, ticket

from pageworker_supervisor.queue.producer import NewJob

HOOK = "https://n8n.test/second"
REJECTED = JobEnd(status="rejected", result=b'{"status":"rejected"}', dead_letter=b"{}")
MENDED = b'{"job_id":"j1","tenant_id":"acme","endpoint_module":"mended"}'


def again(**fields: Any) -> NewJob:
    """Another text of the job j1, with a callback of its own."""
    return ticket("j1", **{"body": b"another text", "callback": HOOK, **fields})


async def ended(harness: QueueHarness, ending: JobEnd = DONE) -> None:
    await harness.producer.enqueue([ticket("j1")], "first")
    assert await harness.consumer.finish(await harness.one(), **ending)


async def promises(harness: QueueHarness) -> list[tuple[str | None, bytes]]:
    return [(each.callback_url, each.result) for each in await harness.outbox.take(100, 0)]


class Events:
    """What is published for a tenant."""

    def __init__(self, harness: QueueHarness, tenant: str = "acme") -> None:
        self._channel = harness.client.pubsub(ignore_subscribe_messages=True)
        self._name = f"pw:events:{tenant}"

    async def __aenter__(self) -> "Events":
        await self._channel.subscribe(self._name)
        await self._channel.get_message(timeout=1)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._channel.aclose()

    async def heard(self) -> list[dict[str, Any]]:
        found = []
        while message := await self._channel.get_message(timeout=0.1):
            found.append(json.loads(message["data"]))
        return found


async def test_a_push_of_an_ended_job_gets_the_stored_result_and_an_event(harness: QueueHarness) -> None:
    await ended(harness)
    async with Events(harness) as events:
        assert await harness.producer.enqueue([again()], "second") == ["duplicate"]
        (event,) = await events.heard()
    assert await promises(harness) == [(HOOK, DONE["result"])]
    assert (event["event"], event["job_id"], event["tenant_id"]) == ("duplicate", "j1", "acme")
    assert await harness.results() == [DONE["result"]], "the stream has it once"
    assert await harness.take() == []


async def test_each_further_push_is_answered_once_however_often_it_is_read(harness: QueueHarness) -> None:
    await ended(harness)
    for reading in ("second", "second", "", ""):  # a repeated call, then two readings that may be repeats
        assert await harness.producer.enqueue([again()], reading) == ["duplicate"]
    assert len(await promises(harness)) == 1
    assert await harness.producer.enqueue([again()], "third") == ["duplicate"]
    assert len(await promises(harness)) == 1, "pushed once more, answered once more"


async def test_a_second_reading_of_the_push_that_made_the_job_sends_no_answer(harness: QueueHarness) -> None:
    await ended(harness)
    async with Events(harness) as events:
        for reading in ("first", ""):
            assert await harness.producer.enqueue([ticket("j1", callback=HOOK)], reading) == ["duplicate"]
        assert await events.heard() == []
    assert await promises(harness) == []


async def test_the_same_text_pushed_again_is_answered(harness: QueueHarness) -> None:
    await ended(harness)
    await harness.producer.enqueue([ticket("j1", callback=HOOK)], "second")
    assert await promises(harness) == [(HOOK, DONE["result"])]


async def test_a_push_of_a_job_that_waits_or_runs_is_that_job(harness: QueueHarness) -> None:
    async with Events(harness) as events:
        await harness.producer.enqueue([ticket("j1")], "first")
        assert await harness.producer.enqueue([again()], "second") == ["duplicate"]
        lease = await harness.one()
        assert await harness.producer.enqueue([again()], "third") == ["duplicate"]
        assert await events.heard() == []
    await harness.finish([lease])
    assert await promises(harness) == []


async def test_a_push_without_a_callback_is_told_by_the_event_alone(harness: QueueHarness) -> None:
    await ended(harness)
    async with Events(harness) as events:
        await harness.producer.enqueue([again(callback=None)], "second")
        assert [event["event"] for event in await events.heard()] == ["duplicate"]
    assert await promises(harness) == []


async def test_the_corrected_push_of_a_rejected_text_runs_and_replaces_its_result(harness: QueueHarness) -> None:
    assert await harness.producer.reject(b"no job", "why", ref("j1"), b"rejected", None, "first")
    assert await harness.inspection.result(ref("j1")) == b"rejected"
    assert await harness.producer.enqueue([ticket("j1")], "second") == ["queued"]
    await harness.producer.reject(b"no job", "why", ref("j1"), b"rejected", None, "")  # read once more
    await harness.finish([await harness.one()])
    assert await harness.inspection.result(ref("j1")) == DONE["result"]
    assert await harness.producer.reject(b"no job", "why", ref("j1"), b"rejected", None, "third") is False
    assert await harness.inspection.result(ref("j1")) == DONE["result"]
    assert await harness.inspection.check_consistency() == []


async def test_the_corrected_push_of_a_job_rejected_at_dispatch_runs(harness: QueueHarness) -> None:
    await ended(harness, REJECTED)
    assert await harness.producer.enqueue([ticket("j1", body=MENDED)], "second") == ["queued"]
    lease = await harness.one()
    assert lease.body == MENDED
    assert await harness.producer.enqueue([ticket("j1", body=MENDED)], "third") == ["duplicate"]
    await harness.finish([lease])
    assert await harness.inspection.result(ref("j1")) == DONE["result"]
    assert await harness.producer.enqueue([ticket("j1")], "fourth") == ["duplicate"], "now it has ended for good"


async def test_the_same_text_runs_again_after_its_rejection(harness: QueueHarness) -> None:
    """What was missing may be there now: a module that is published since."""
    await ended(harness, REJECTED)
    assert await harness.producer.enqueue([ticket("j1")], "second") == ["queued"]


async def test_a_second_reading_of_a_rejected_push_does_not_run_but_is_not_silent(harness: QueueHarness) -> None:
    await ended(harness, REJECTED)
    async with Events(harness) as events:
        assert await harness.producer.enqueue([ticket("j1", callback=HOOK)], "first") == ["duplicate"], (
            "a repeated call"
        )
        assert await events.heard() == []
        for _ in range(2):
            assert await harness.producer.enqueue([ticket("j1", callback=HOOK)], "") == ["duplicate"]
        assert [event["event"] for event in await events.heard()] == ["duplicate"]
    assert await promises(harness) == [(HOOK, REJECTED["result"])]
    assert len(await harness.results()) == 1


async def test_a_repeated_finish_of_a_rejected_job_gives_the_same_answer(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("j1")])
    lease = await harness.one()
    assert [await harness.consumer.finish(lease, **REJECTED) for _ in range(3)] == [True, True, True]
    assert len(await harness.results()) == 1


async def test_a_rejected_text_that_is_pushed_again_is_answered_again(harness: QueueHarness) -> None:
    for reading in ("first", "first", "", "second"):
        assert await harness.producer.reject(b"no job", "why", ref("j1"), b"rejected", HOOK, reading)
    assert await promises(harness) == [(HOOK, b"rejected")] * 2
    assert await harness.results() == [b"rejected"]
    assert len((await harness.dead_letters.page()).letters) == 1


async def test_the_letter_of_a_rejected_job_does_not_displace_what_was_pushed_since(harness: QueueHarness) -> None:
    await ended(harness, REJECTED)
    (letter,) = (await harness.dead_letters.page()).letters
    await harness.producer.enqueue([ticket("j1", body=MENDED)], "second")
    await harness.finish([await harness.one()])
    assert await harness.dead_letters.retry([letter.id]) == {letter.id: "duplicate"}
    assert await harness.inspection.result(ref("j1")) == DONE["result"]


@pytest.mark.parametrize("other", ["globex", "acme-2", "a"])
async def test_the_same_id_of_another_tenant_is_another_job(harness: QueueHarness, other: str) -> None:
    assert await harness.producer.reject(b"no job", "why", ref("j1", other), b"rejected", None, "first")
    assert await harness.producer.enqueue([ticket("j1"), ticket("j1", other)]) == ["queued", "queued"]
    assert await harness.inspection.cancel(ref("j1", other)) == "cancelled"
    leases = {str(lease.ref): lease.ending for lease in await harness.take()}
    assert leases == {"acme/j1": None, f"{other}/j1": "cancelled"}
    assert await harness.inspection.check_consistency() == []


@pytest.mark.parametrize("early", [True, False])
async def test_a_cancelled_job_does_not_expire_any_more(harness: QueueHarness, early: bool) -> None:
    seconds, _ = await harness.client.time()
    if early:
        await harness.inspection.cancel(ref("j1"))
    await harness.producer.enqueue([ticket("j1", expires_at_ms=(seconds + 60) * 1000)])
    if not early:
        await harness.inspection.cancel(ref("j1"))
    lease = await harness.one()
    assert lease.ending == "cancelled"
    assert await harness.inspection.check_consistency() == []
    await harness.finish([lease])

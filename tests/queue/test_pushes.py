"""One id, pushed more than once: what is the same job, what is told its result, and what may use the id again."""

import json
from typing import Any

import pytest
from pw_queue import DONE, QueueBench, ref, ticket

from pageworker_supervisor.queue.options import FinishRequest, NewJob

HOOK = "https://n8n.test/second"
REJECTED = FinishRequest(status="rejected", result=b'{"status":"rejected"}', dead_letter=b"{}")
MENDED = b'{"job_id":"j1","tenant_id":"acme","endpoint_module":"mended"}'


def again(**fields: Any) -> NewJob:
    """Another text of the job j1, with a callback of its own."""
    return ticket("j1", **{"body": b"another text", "callback": HOOK, **fields})


async def ended(desk: QueueBench, ending: FinishRequest = DONE) -> None:
    await desk.engine.enqueue([ticket("j1")], "first")
    assert await desk.engine.finish(await desk.one(), ending)


async def promises(desk: QueueBench) -> list[tuple[str | None, bytes]]:
    return [(each.callback_url, each.result) for each in await desk.engine.outbox_take("w1", 100, 0)]


class Events:
    """What is published for a tenant."""

    def __init__(self, desk: QueueBench, tenant: str = "acme") -> None:
        self._channel = desk.client.pubsub(ignore_subscribe_messages=True)
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


async def test_a_push_of_an_ended_job_gets_the_stored_result_and_an_event(desk: QueueBench) -> None:
    await ended(desk)
    async with Events(desk) as events:
        assert await desk.engine.enqueue([again()], "second") == ["duplicate"]
        (event,) = await events.heard()
    assert await promises(desk) == [(HOOK, DONE.result)]
    assert (event["event"], event["job_id"], event["tenant_id"]) == ("duplicate", "j1", "acme")
    assert await desk.results() == [DONE.result], "the stream has it once"
    assert await desk.take() == []


async def test_each_further_push_is_answered_once_however_often_it_is_read(desk: QueueBench) -> None:
    await ended(desk)
    for reading in ("second", "second", "", ""):  # a repeated call, then two readings that may be repeats
        assert await desk.engine.enqueue([again()], reading) == ["duplicate"]
    assert len(await promises(desk)) == 1
    assert await desk.engine.enqueue([again()], "third") == ["duplicate"]
    assert len(await promises(desk)) == 1, "pushed once more, answered once more"


async def test_a_second_reading_of_the_push_that_made_the_job_tells_nobody(desk: QueueBench) -> None:
    await ended(desk)
    async with Events(desk) as events:
        for reading in ("first", ""):
            assert await desk.engine.enqueue([ticket("j1", callback=HOOK)], reading) == ["duplicate"]
        assert await events.heard() == []
    assert await promises(desk) == []


async def test_the_same_text_pushed_again_is_answered(desk: QueueBench) -> None:
    await ended(desk)
    await desk.engine.enqueue([ticket("j1", callback=HOOK)], "second")
    assert await promises(desk) == [(HOOK, DONE.result)]


async def test_a_push_of_a_job_that_waits_or_runs_is_that_job(desk: QueueBench) -> None:
    async with Events(desk) as events:
        await desk.engine.enqueue([ticket("j1")], "first")
        assert await desk.engine.enqueue([again()], "second") == ["duplicate"]
        lease = await desk.one()
        assert await desk.engine.enqueue([again()], "third") == ["duplicate"]
        assert await events.heard() == []
    await desk.finish([lease])
    assert await promises(desk) == []


async def test_a_push_without_a_callback_is_told_by_the_event_alone(desk: QueueBench) -> None:
    await ended(desk)
    async with Events(desk) as events:
        await desk.engine.enqueue([again(callback=None)], "second")
        assert [event["event"] for event in await events.heard()] == ["duplicate"]
    assert await promises(desk) == []


async def test_the_corrected_push_of_a_rejected_text_runs_and_replaces_its_result(desk: QueueBench) -> None:
    assert await desk.engine.reject(b"no job", "why", ref("j1"), b"rejected", None, "first")
    assert await desk.engine.result(ref("j1")) == b"rejected"
    assert await desk.engine.enqueue([ticket("j1")], "second") == ["queued"]
    await desk.engine.reject(b"no job", "why", ref("j1"), b"rejected", None, "")  # read once more
    await desk.finish([await desk.one()])
    assert await desk.engine.result(ref("j1")) == DONE.result
    assert await desk.engine.reject(b"no job", "why", ref("j1"), b"rejected", None, "third") is False
    assert await desk.engine.result(ref("j1")) == DONE.result
    assert await desk.engine.audit() == []


async def test_the_corrected_push_of_a_job_rejected_at_dispatch_runs(desk: QueueBench) -> None:
    await ended(desk, REJECTED)
    assert await desk.engine.enqueue([ticket("j1", body=MENDED)], "second") == ["queued"]
    lease = await desk.one()
    assert lease.body == MENDED
    assert await desk.engine.enqueue([ticket("j1", body=MENDED)], "third") == ["duplicate"]
    await desk.finish([lease])
    assert await desk.engine.result(ref("j1")) == DONE.result
    assert await desk.engine.enqueue([ticket("j1")], "fourth") == ["duplicate"], "now it has ended for good"


async def test_the_same_text_runs_again_after_its_rejection(desk: QueueBench) -> None:
    """What was missing may be there now: a module that is published since."""
    await ended(desk, REJECTED)
    assert await desk.engine.enqueue([ticket("j1")], "second") == ["queued"]


async def test_a_second_reading_of_a_rejected_push_does_not_run_but_is_not_silent(desk: QueueBench) -> None:
    await ended(desk, REJECTED)
    async with Events(desk) as events:
        assert await desk.engine.enqueue([ticket("j1", callback=HOOK)], "first") == ["duplicate"], "a repeated call"
        assert await events.heard() == []
        for _ in range(2):
            assert await desk.engine.enqueue([ticket("j1", callback=HOOK)], "") == ["duplicate"]
        assert [event["event"] for event in await events.heard()] == ["duplicate"]
    assert await promises(desk) == [(HOOK, REJECTED.result)]
    assert len(await desk.results()) == 1


async def test_a_repeated_finish_of_a_rejected_job_gives_the_same_answer(desk: QueueBench) -> None:
    await desk.engine.enqueue([ticket("j1")])
    lease = await desk.one()
    assert [await desk.engine.finish(lease, REJECTED) for _ in range(3)] == [True, True, True]
    assert len(await desk.results()) == 1


async def test_a_rejected_text_that_is_pushed_again_is_answered_again(desk: QueueBench) -> None:
    for reading in ("first", "first", "", "second"):
        assert await desk.engine.reject(b"no job", "why", ref("j1"), b"rejected", HOOK, reading)
    assert await promises(desk) == [(HOOK, b"rejected")] * 2
    assert await desk.results() == [b"rejected"]
    assert len((await desk.engine.dead_list()).letters) == 1


async def test_the_letter_of_a_rejected_job_does_not_displace_what_was_pushed_since(desk: QueueBench) -> None:
    await ended(desk, REJECTED)
    (letter,) = (await desk.engine.dead_list()).letters
    await desk.engine.enqueue([ticket("j1", body=MENDED)], "second")
    await desk.finish([await desk.one()])
    assert await desk.engine.dead_retry([letter.id]) == {letter.id: "duplicate"}
    assert await desk.engine.result(ref("j1")) == DONE.result


@pytest.mark.parametrize("other", ["globex", "acme-2", "a"])
async def test_the_same_id_of_another_tenant_is_another_job(desk: QueueBench, other: str) -> None:
    assert await desk.engine.reject(b"no job", "why", ref("j1", other), b"rejected", None, "first")
    assert await desk.engine.enqueue([ticket("j1"), ticket("j1", other)]) == ["queued", "queued"]
    assert await desk.engine.cancel(ref("j1", other)) == "cancelled"
    leases = {str(lease.ref): lease.verdict for lease in await desk.take()}
    assert leases == {"acme/j1": None, f"{other}/j1": "cancelled"}
    assert await desk.engine.audit() == []


@pytest.mark.parametrize("early", [True, False])
async def test_a_cancelled_job_does_not_expire_any_more(desk: QueueBench, early: bool) -> None:
    seconds, _ = await desk.client.time()
    if early:
        await desk.engine.cancel(ref("j1"))
    await desk.engine.enqueue([ticket("j1", expires_at_ms=(seconds + 60) * 1000)])
    if not early:
        await desk.engine.cancel(ref("j1"))
    lease = await desk.one()
    assert lease.verdict == "cancelled"
    assert await desk.engine.audit() == []
    await desk.finish([lease])

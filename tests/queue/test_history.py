"""A job's history on a real Redis: every transition, in the command that writes the state, kept with the result."""

import msgspec
from pw_queue import DONE, LEASE_ENDS, QueueHarness, ref, ticket

from pageworker_supervisor.contract.job_history import HistoryLine, parse_history
from pageworker_supervisor.contract.job_state import JobState
from pageworker_supervisor.queue.job_details import JobDetails

USED = b'{"attempt":1,"module":"shop.product","module_version":"1.4.2"}'
ENDED = msgspec.json.encode({"status": "succeeded", "endpoint_module": "shop.product", "trace_id": "f" * 32})
HOOK = "https://n8n.test/hook"


async def details(harness: QueueHarness, job_id: str = "j1") -> JobDetails:
    found = await harness.inspection.details(ref(job_id))
    assert found is not None
    return found


async def events(harness: QueueHarness, job_id: str = "j1") -> list[str]:
    return [line.event for line in (await details(harness, job_id)).history]


async def test_a_waiting_job_is_known_with_its_way_so_far(harness: QueueHarness) -> None:
    assert await harness.inspection.details(ref("j1")) is None
    await harness.producer.enqueue([ticket("j1", delay_ms=5_000)])
    found = await details(harness)
    assert (found.state, found.attempts_used, found.worker) == (JobState.DELAYED.value, 0, None)
    assert found.pushed_at_ms is not None
    assert found.due_at_ms == found.pushed_at_ms + 5_000
    await harness.later(6_000)
    lease = await harness.one()
    assert await events(harness) == ["enqueue_later", "come_due", "claim"]
    assert await harness.consumer.begin(lease, used=USED)
    assert await harness.consumer.begin(lease, used=USED), "the same call again"
    found = await details(harness)
    assert (found.state, found.worker, found.token) == ("running", "w1", lease.token)
    assert found.used == msgspec.json.decode(USED)
    assert [line.event for line in found.history] == ["enqueue_later", "come_due", "claim", "begin"]


async def test_a_job_that_was_lost_twice_tells_who_had_it_and_what_it_used(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("j1")])
    tokens = []
    for worker in ("w1", "w2"):
        lease = await harness.one(worker)
        tokens.append(lease.token)
        assert await harness.consumer.begin(lease, used=USED)
        await harness.later(50_000)
        assert (await harness.consumer.reap()).count == 1
        await harness.later(60_000)
    lease = await harness.one("w3")
    assert await harness.consumer.finish(lease, "succeeded", ENDED, callback=HOOK, used=b'{"attempt":3}')
    found = await details(harness)
    assert (found.state, found.status, found.module) == ("ended", "succeeded", "shop.product")
    assert [line.event for line in found.history] == [
        *("enqueue", "claim", "begin", "reap", "come_due", "claim", "begin", "reap", "come_due", "claim", "finish")
    ]
    first, second, last = (line for line in found.history if line.facts)
    used = msgspec.json.decode(USED)
    assert first.facts == {"worker": "w1", "token": tokens[0], "used": used}
    assert second.facts == {"worker": "w2", "token": tokens[1], "used": used}
    assert last.facts == {"worker": "w3", "token": lease.token, "used": {"attempt": 3}}
    times = [line.at_ms or 0 for line in found.history]
    assert times == sorted(times)
    assert 0 < await harness.client.pttl("pw:{0}:timeline:acme/j1") <= 86_400_000


async def test_each_end_of_a_lease_has_its_line(harness: QueueHarness) -> None:
    for call in LEASE_ENDS:
        await harness.producer.enqueue([ticket(call)])
        lease = await harness.one()
        await harness.end(lease, call, times=2)
        lines = [line for line in (await details(harness, call)).history if line.facts]
        assert [line.facts["token"] for line in lines] == [lease.token], call
        await _end_all(harness)


async def _end_all(harness: QueueHarness) -> None:
    await harness.later(2_000_000)
    await harness.drain()


async def test_a_reason_is_kept_with_its_own_lease_alone(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("j1")])
    assert await harness.consumer.defer(await harness.one(), 10, 'the host: "full"\n' + "ä" * 600)
    await harness.later(1_000)
    assert await harness.consumer.requeue(await harness.one())
    deferred, requeued = (line for line in (await details(harness)).history if line.facts)
    assert deferred.facts["reason"].startswith('the host: "full"\nää')
    assert len(deferred.facts["reason"].encode()) < 520
    assert "reason" not in requeued.facts


async def test_a_history_is_bounded_and_says_how_much_is_dropped(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("j1")])
    deferrals = 300
    for _ in range(deferrals):
        assert await harness.consumer.defer(await harness.one(), 1, "no page")
        await harness.later(10)
    text = await harness.client.hget("pw:{0}:job:acme/j1", "history")
    assert len(text) <= 8192 + 600
    lines = parse_history(text)
    assert [line.event for line in lines[:4]] == ["enqueue", "claim", "defer", "come_due"]
    assert lines[-1].event == "defer"
    (dropped,) = (line.dropped for line in lines if line.event == "dropped")
    assert len(lines) - 1 + dropped == 3 * deferrals, (
        "claim, defer and come_due of each, and the enqueue for the last due"
    )
    assert len(lines) > 50


async def test_the_callbacks_way_follows(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("j1")])
    await harness.consumer.finish(await harness.one(), "succeeded", ENDED, callback=HOOK)
    for _ in range(25):
        harness.outbox.announce()
        (entry,) = await harness.outbox.take(10, 0)
        await harness.outbox.later(entry, 10, b'{"status":503}')
        await harness.later(100)
    harness.outbox.announce()
    (entry,) = await harness.outbox.take(10, 0)
    await harness.outbox.done([entry], [b'{"status":204,"tries":26}'])
    lines = (await details(harness)).history
    assert [line.event for line in lines].count("callback_later") == 20, "the first tries"
    assert lines[-1] == HistoryLine(
        event="callback_delivered", at_ms=lines[-1].at_ms, facts={"status": 204, "tries": 26}
    )
    assert 0 < await harness.client.pttl("pw:{0}:timeline:acme/j1") <= 86_400_000


async def test_a_callback_of_a_forgotten_result_leaves_no_key(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("j1")])
    await harness.consumer.finish(await harness.one(), "succeeded", ENDED, callback=HOOK)
    await harness.client.delete("pw:{0}:timeline:acme/j1")
    (entry,) = await harness.outbox.take(10, 0)
    await harness.outbox.failed(entry, b"{}", b'{"reason":"404"}')
    assert not await harness.client.exists("pw:{0}:timeline:acme/j1")


async def test_a_revived_job_keeps_its_earlier_life(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("j1")])
    await harness.consumer.finish(await harness.one(), "failed", ENDED, dead_letter=b"{}")
    (letter,) = (await harness.dead_letters.page()).letters
    assert dict(await harness.dead_letters.retry([letter.id])) == {letter.id: "queued"}
    assert await events(harness) == ["enqueue", "claim", "finish", "revive", "enqueue"]
    assert not await harness.client.exists("pw:{0}:timeline:acme/j1")


async def test_finish_writes_one_command_more_than_without_a_history(harness: QueueHarness) -> None:
    """Commands within functions, as Redis counts them: `SET timeline` is the only one."""

    async def sets() -> int:
        stats = await harness.client.info("commandstats")
        return int(stats.get("cmdstat_set", {"calls": 0})["calls"])

    await harness.producer.enqueue([ticket("j1")])
    lease = await harness.one()
    before = await sets()
    await harness.consumer.finish(lease, **DONE)
    assert await sets() - before == 3, "result, done, timeline"

"""Side effects that must not repeat, on a real Redis: who may begin one, and how long a record is kept."""

from pw_queue import QueueHarness, ticket

from pageworker_sandbox.wire.once_messages import OnceAct
from pageworker_supervisor.queue.claim import Lease
from pageworker_supervisor.queue.once import LocalOnce, OnceReply

KEY = "pw:{0}:once:acme/j1"
BEGUN, UNKNOWN, DROPPED, LOST = OnceReply("begun"), OnceReply("unknown"), OnceReply("dropped"), OnceReply("lost")
BOTH: tuple[OnceAct, ...] = ("begin", "done")


class OnceCalls:
    """The calls of one lease, each with the next number."""

    def __init__(self, harness: QueueHarness, lease: Lease) -> None:
        self.harness = harness
        self.lease = lease
        self.number = 0

    async def call(
        self, act: OnceAct, key: str = "order", value: bytes | None = None, *, again: bool = False
    ) -> OnceReply:
        self.number += not again
        return await self.harness.consumer.once(self.lease, key, act, call_number=self.number, value=value)


async def claimed(harness: QueueHarness, job_id: str = "j1") -> OnceCalls:
    await harness.producer.enqueue([ticket(job_id)])
    return OnceCalls(harness, await harness.one())


async def test_one_call_begins_it_and_every_other_one_is_told_what_is_known(harness: QueueHarness) -> None:
    first = await claimed(harness)
    assert await first.call("begin") == BEGUN
    assert await first.call("begin", again=True) == BEGUN, "the reply was lost, and the call repeated"
    assert await first.call("begin") == UNKNOWN
    assert await first.call("begin", "other") == BEGUN
    await harness.consumer.crash(first.lease, 0, b"{}")
    second = OnceCalls(harness, await harness.one())
    assert await second.call("begin") == UNKNOWN, "the runner died in between"
    assert await second.call("done", value=b"17") == OnceReply("done", b"17")
    assert await second.call("drop", "other") == DROPPED
    await harness.consumer.retry(second.lease, 0, b"{}")
    third = OnceCalls(harness, await harness.one())
    assert await third.call("begin") == OnceReply("done", b"17")
    assert await third.call("begin", "other") == BEGUN
    for late in (first, second):
        assert await late.call("begin", "late") == LOST
        assert await late.call("done", "order", b"18") == LOST
    await harness.finish([third.lease])
    assert await third.call("begin") == LOST
    assert await harness.client.pttl(KEY) > 0


async def test_a_job_has_a_bounded_number_of_keys(harness: QueueHarness) -> None:
    it = await claimed(harness)
    for number in range(64):
        assert await it.call("begin", f"k{number}") == BEGUN
    for act in BOTH:
        assert (await it.call(act, "one-more")).state == "full"
    assert (await it.call("done", "k1")).state == "done"
    await it.call("drop", "k1")
    assert await it.call("begin", "one-more") == BEGUN
    await harness.finish([it.lease])


async def test_a_dead_letter_that_is_retried_goes_on_with_them_and_a_new_job_does_not(harness: QueueHarness) -> None:
    it = await claimed(harness)
    await it.call("begin")
    assert await harness.consumer.finish(it.lease, "failed", b"{}", dead_letter=b"{}")
    assert await harness.client.pttl(KEY) > 29 * 24 * 3600 * 1000
    (letter,) = (await harness.dead_letters.page()).letters
    assert await harness.dead_letters.retry([letter.id]) == {letter.id: "queued"}
    assert await harness.client.pttl(KEY) == -1
    revived = OnceCalls(harness, await harness.one())
    assert await revived.call("begin") == UNKNOWN
    await harness.finish([revived.lease])
    await harness.client.delete("pw:{0}:done:acme/j1", "pw:{0}:timeline:acme/j1")  # as after results.ttl_seconds
    assert await (await claimed(harness)).call("begin") == BEGUN


def test_without_redis_a_job_has_one_attempt() -> None:
    local = LocalOnce()
    assert local.call("t", "order", "begin", None) == BEGUN
    assert local.call("t", "order", "begin", None) == UNKNOWN
    assert local.call("t", "order", "drop", None) == DROPPED
    assert local.call("t", "order", "done", b"1") == OnceReply("done", b"1")
    assert local.call("t", "order", "begin", None) == OnceReply("done", b"1")
    assert local.call("u", "order", "begin", None) == BEGUN
    for number in range(63):
        assert local.call("t", f"k{number}", "begin", None) == BEGUN
    assert local.call("t", "one-more", "begin", None) == OnceReply("full")

"""Dead letters can be looked at, taken back and thrown away, exactly those that were shown."""

import msgspec
import pytest
from pw_queue import DONE, JobEnd, QueueHarness, ref, ticket

from pageworker_supervisor.contract.errors import ContractError
from pageworker_supervisor.queue.dead_letters import JobPatch
from pageworker_supervisor.queue.producer import QuotaLimits

FAILED = JobEnd(status="failed", result=b'{"status":"failed"}', dead_letter=b'{"error":"boom"}')
BODY = b'{"job_id":"j1","tenant_id":"acme","endpoint_module":"shop.product","payload":{"url":"http://a.test/"}}'


async def _fail(harness: QueueHarness, *names: str, tenant: str = "acme") -> None:
    await harness.producer.enqueue([ticket(name, tenant) for name in names])
    for lease in await harness.take():
        assert await harness.consumer.finish(lease, **FAILED)


async def test_a_letter_has_the_job_and_why(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("j1", body=BODY)])
    assert await harness.consumer.finish(await harness.one(), **FAILED)
    (letter,) = (await harness.dead_letters.page()).letters
    assert (letter.job_id, letter.tenant_id, letter.reason) == ("j1", "acme", "failed")
    assert (letter.job, letter.detail, letter.retryable) == (BODY, b'{"error":"boom"}', True)
    assert await harness.dead_letters.show(letter.id) == letter
    assert await harness.dead_letters.show("0-1-1") is None


@pytest.mark.parametrize(
    "letter_id", ["bogus", "", "0-x", "0-1", "7-1-0", "-1-1-0", "0-1-0\n", "٣-1-0", "0-" + "9" * 40 + "-0"]
)
async def test_an_id_that_no_letter_can_have_is_gone(harness: QueueHarness, letter_id: str) -> None:
    assert await harness.dead_letters.show(letter_id) is None
    assert await harness.dead_letters.retry([letter_id]) == {letter_id: "gone"}
    assert await harness.dead_letters.purge([letter_id]) == 0


async def test_pages_of_letters_are_complete_and_filtered_by_tenant(harness: QueueHarness) -> None:
    await _fail(harness, *(f"j{n}" for n in range(7)))
    await _fail(harness, "other", tenant="other")
    seen, cursor = [], None
    while True:
        page = await harness.dead_letters.page(3, cursor, "acme")
        seen += [letter.job_id for letter in page.letters]
        cursor = page.cursor
        if cursor is None:
            break
    assert seen == [f"j{n}" for n in reversed(range(7))]


async def test_a_retried_letter_runs_again_and_has_a_new_result(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("j1", body=BODY, priority="high", concurrency=1)])
    assert await harness.consumer.finish(await harness.one(), **FAILED)
    (letter,) = (await harness.dead_letters.page()).letters
    edits = JobPatch(payload=b'{"url":"http://b.test/"}', endpoint_module="shop.product@2.0.0")
    assert await harness.dead_letters.retry([letter.id], edits) == {letter.id: "queued"}
    assert await harness.dead_letters.retry([letter.id], edits) == {letter.id: "gone"}
    lease = await harness.one()
    job = msgspec.json.decode(lease.body)
    assert (job["payload"], job["endpoint_module"]) == ({"url": "http://b.test/"}, "shop.product@2.0.0")
    assert (lease.priority, lease.attempt, lease.crashes) == ("high", 1, 0)
    assert await harness.consumer.finish(lease, **DONE)
    assert await harness.inspection.result(ref("j1")) == DONE["result"]


async def test_a_retried_letter_keeps_the_limits_that_its_job_had(harness: QueueHarness) -> None:
    kept = {"pw:{0}:tenant:acme": b"1 3 0 100", "pw:{0}:domain:a.test": b"1 2 0 100"}
    new = ticket("j1", body=BODY, domain="a.test", concurrency=3, domain_limits=QuotaLimits(concurrency=2))
    await harness.producer.enqueue([new])
    assert await harness.consumer.finish(await harness.one(), **FAILED)
    (letter,) = (await harness.dead_letters.page()).letters
    await harness.client.delete(*kept)
    assert await harness.dead_letters.retry([letter.id]) == {letter.id: "queued"}
    assert {key: await harness.client.hget(key, "limits") for key in kept} == kept


async def test_an_edit_that_makes_no_job_is_refused_and_the_letter_stays(harness: QueueHarness) -> None:
    await _fail(harness, "j1")
    (letter,) = (await harness.dead_letters.page()).letters
    with pytest.raises(ContractError):
        await harness.dead_letters.retry([letter.id], JobPatch(endpoint_module="No Such Name"))
    assert await harness.dead_letters.show(letter.id) == letter


async def test_a_bulk_action_touches_what_was_shown_and_nothing_that_came_since(harness: QueueHarness) -> None:
    await _fail(harness, "j1", "j2")
    shown = [letter.id for letter in (await harness.dead_letters.page()).letters]
    await _fail(harness, "j3")
    assert await harness.dead_letters.purge(shown) == 2
    assert [letter.job_id for letter in (await harness.dead_letters.page()).letters] == ["j3"]


async def test_what_was_rejected_cannot_be_retried(harness: QueueHarness) -> None:
    await harness.producer.reject(b"{}", "no job id")
    (letter,) = (await harness.dead_letters.page()).letters
    assert await harness.dead_letters.retry([letter.id]) == {letter.id: "refused"}


async def test_a_letter_whose_id_runs_again_already_is_left_alone(harness: QueueHarness) -> None:
    await _fail(harness, "j1")
    (letter,) = (await harness.dead_letters.page()).letters
    await harness.client.delete("pw:{0}:done:acme/j1")  # its result has expired, and a producer pushed it anew
    await harness.producer.enqueue([ticket("j1")])
    assert await harness.dead_letters.retry([letter.id]) == {letter.id: "duplicate"}

"""Dead letters can be looked at, taken back and thrown away, exactly those that were shown."""

import msgspec
import pytest
from pw_queue import DONE, QueueBench, ref, ticket

from pageworker_supervisor.contract.errors import ContractError
from pageworker_supervisor.queue.options import FinishRequest, JobPatch

FAILED = FinishRequest(status="failed", result=b'{"status":"failed"}', dead_letter=b'{"error":"boom"}')
BODY = b'{"job_id":"j1","tenant_id":"acme","endpoint_module":"shop.product","payload":{"url":"http://a.test/"}}'


async def _fail(desk: QueueBench, *names: str, tenant: str = "acme") -> None:
    await desk.engine.enqueue([ticket(name, tenant) for name in names])
    for lease in await desk.take():
        assert await desk.engine.finish(lease, FAILED)


async def test_a_letter_has_the_job_and_why(desk: QueueBench) -> None:
    await desk.engine.enqueue([ticket("j1", body=BODY)])
    assert await desk.engine.finish(await desk.one(), FAILED)
    (letter,) = (await desk.engine.dead_list()).letters
    assert (letter.job_id, letter.tenant_id, letter.reason) == ("j1", "acme", "failed")
    assert (letter.job, letter.detail, letter.retryable) == (BODY, b'{"error":"boom"}', True)
    assert await desk.engine.dead_show(letter.id) == letter
    assert await desk.engine.dead_show("0-1-1") is None


async def test_pages_of_letters_are_complete_and_filtered_by_tenant(desk: QueueBench) -> None:
    await _fail(desk, *(f"j{n}" for n in range(7)))
    await _fail(desk, "other", tenant="other")
    seen, cursor = [], None
    while True:
        page = await desk.engine.dead_list(3, cursor, "acme")
        seen += [letter.job_id for letter in page.letters]
        cursor = page.cursor
        if cursor is None:
            break
    assert seen == [f"j{n}" for n in reversed(range(7))]


async def test_a_retried_letter_runs_again_and_has_a_new_result(desk: QueueBench) -> None:
    await desk.engine.enqueue([ticket("j1", body=BODY, priority="high", concurrency=1)])
    assert await desk.engine.finish(await desk.one(), FAILED)
    (letter,) = (await desk.engine.dead_list()).letters
    edits = JobPatch(payload=b'{"url":"http://b.test/"}', endpoint_module="shop.product@2.0.0")
    assert await desk.engine.dead_retry([letter.id], edits) == {letter.id: "queued"}
    assert await desk.engine.dead_retry([letter.id], edits) == {letter.id: "gone"}
    lease = await desk.one()
    job = msgspec.json.decode(lease.body)
    assert (job["payload"], job["endpoint_module"]) == ({"url": "http://b.test/"}, "shop.product@2.0.0")
    assert (lease.priority, lease.attempt, lease.crashes) == ("high", 1, 0)
    assert await desk.engine.finish(lease, DONE)
    assert await desk.engine.result(ref("j1")) == DONE.result


async def test_an_edit_that_makes_no_job_is_refused_and_the_letter_stays(desk: QueueBench) -> None:
    await _fail(desk, "j1")
    (letter,) = (await desk.engine.dead_list()).letters
    with pytest.raises(ContractError):
        await desk.engine.dead_retry([letter.id], JobPatch(endpoint_module="No Such Name"))
    assert await desk.engine.dead_show(letter.id) == letter


async def test_a_bulk_action_touches_what_was_shown_and_nothing_that_came_since(desk: QueueBench) -> None:
    await _fail(desk, "j1", "j2")
    shown = [letter.id for letter in (await desk.engine.dead_list()).letters]
    await _fail(desk, "j3")
    assert await desk.engine.dead_purge(shown) == 2
    assert [letter.job_id for letter in (await desk.engine.dead_list()).letters] == ["j3"]


async def test_what_was_rejected_cannot_be_retried(desk: QueueBench) -> None:
    await desk.engine.reject(b"{}", "no job id")
    (letter,) = (await desk.engine.dead_list()).letters
    assert await desk.engine.dead_retry([letter.id]) == {letter.id: "refused"}


async def test_a_letter_whose_id_runs_again_already_is_left_alone(desk: QueueBench) -> None:
    await _fail(desk, "j1")
    (letter,) = (await desk.engine.dead_list()).letters
    await desk.client.delete("pw:{0}:done:acme/j1")  # its result's life is over, and somebody pushed it anew
    await desk.engine.enqueue([ticket("j1")])
    assert await desk.engine.dead_retry([letter.id]) == {letter.id: "duplicate"}

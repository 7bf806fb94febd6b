"""The one writer of a batch's state, on a real Redis: it allows what the table allows, and refuses everything else."""

import itertools

import pytest
from pw_queue import QueueHarness
from redis.exceptions import ResponseError

from pageworker_supervisor.contract.batch import BatchRef, BatchSpec
from pageworker_supervisor.contract.batch_state import TRANSITIONS, BatchEvent, BatchState

BATCH = BatchRef("acme", "b")
RECORD = "pw:{0}:batch:acme/b"


async def bring_to(harness: QueueHarness, state: BatchState) -> None:
    """A batch in this state. A closed one without jobs is not complete here: only a call of `batch_close` looks."""
    if state is BatchState.NEW:
        return
    await harness.queue.batches.open("acme", BatchSpec(batch_id="b"))
    if state is BatchState.CLOSED:
        await harness.client.fcall(*harness.function_call("apply_batch_event", ref=str(BATCH), event="close"))
    if state is BatchState.COMPLETE:
        assert await harness.queue.batches.close(BATCH)


async def test_every_pair_is_as_in_the_table(harness: QueueHarness) -> None:
    for state, event in itertools.product(BatchState, BatchEvent):
        await bring_to(harness, state)
        call = harness.function_call("apply_batch_event", ref=str(BATCH), event=event.value)
        after = TRANSITIONS.get((state, event))
        before = await harness.client.hgetall(RECORD)
        if after is None:
            with pytest.raises(ResponseError) as refused:
                await harness.client.fcall(*call)
            assert f"event {event.value} is illegal in state {state.value} of batch {BATCH}" in str(refused.value)
            assert await harness.client.hgetall(RECORD) == before
        else:
            assert await harness.client.fcall(*call) == after.value.encode(), (state, event)
            assert await harness.client.hget(RECORD, "state") == after.value.encode()
        await harness.client.flushall()

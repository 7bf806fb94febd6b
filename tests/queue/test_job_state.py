"""The one writer of a job's state, on a real Redis: it allows what the table allows, and refuses everything else."""

import itertools

import pytest
from pw_queue import DONE, QueueHarness, everything, ref, ticket
from redis.exceptions import ResponseError

from pageworker_supervisor.contract.job_state import TRANSITIONS, JobEvent, JobState

JOB = "acme/j1"


async def bring_to(harness: QueueHarness, state: JobState) -> None:
    """A job in this state, by the ways in which jobs come there."""
    if state is JobState.NEW:
        return
    delay_ms = 60_000 if state is JobState.DELAYED else None
    await harness.producer.enqueue([ticket("j1", delay_ms=delay_ms)])
    if state in (JobState.ENDING, JobState.FINISHING):
        assert await harness.inspection.cancel(ref("j1")) == "cancelled"
    if state in (JobState.RUNNING, JobState.STORING, JobState.FINISHING, JobState.ENDED):
        lease = await harness.one()
        if state is JobState.STORING:
            assert await harness.consumer.store(lease)
        if state is JobState.ENDED:
            await harness.consumer.finish(lease, **DONE)


@pytest.mark.parametrize(("state", "event"), list(itertools.product(JobState, JobEvent)))
async def test_every_pair_is_as_in_the_table(harness: QueueHarness, state: JobState, event: JobEvent) -> None:
    await bring_to(harness, state)
    call = harness.function_call("apply_event", ref=JOB, event=event.value)
    after = TRANSITIONS.get((state, event))
    before = await harness.client.hgetall("pw:{0}:job:acme/j1")
    if after is None:
        with pytest.raises(ResponseError) as refused:
            await harness.client.fcall(*call)
        assert f"event {event.value} is illegal in state {state.value} of job {JOB}" in str(refused.value)
        assert await harness.client.hgetall("pw:{0}:job:acme/j1") == before
    else:
        assert await harness.client.fcall(*call) == after.value.encode()
        recorded = await harness.client.hget("pw:{0}:job:acme/j1", "state")
        assert recorded == (None if after in (JobState.NEW, JobState.ENDED) else after.value.encode())
    await harness.client.flushall()


async def test_a_listing_names_the_state_of_a_job_whose_result_is_being_written(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("j1"), ticket("j2")])
    await harness.inspection.cancel(ref("j1"))
    assert {view.job_id: view.state for view in (await harness.inspection.jobs()).jobs} == {
        "j1": "ending",
        "j2": "queued",
    }
    leases = await harness.take(capacity=everything(1))
    for state in ("finishing", "running"):
        (view,) = (await harness.inspection.jobs(state)).jobs
        assert view.state == state
    await harness.finish(leases)

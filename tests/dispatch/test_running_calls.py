"""What an attempt tells the queue before its end."""

import datetime as dt
import json

from pw_doubles import any_typed
from pw_settled import LEASE, RecordedQueue, attempt

from pageworker_sandbox.wire.once_messages import OnceRequest
from pageworker_supervisor.contract.result import StepRecord
from pageworker_supervisor.dispatch.running_calls import RunningCalls
from pageworker_supervisor.redis_client.errors import RedisClientError

STEP = StepRecord(number=1, at=dt.datetime(2030, 1, 1, tzinfo=dt.UTC), text="logged in")


def running() -> tuple[RunningCalls, RecordedQueue]:
    queue = any_typed(RecordedQueue())
    return RunningCalls(queue, queue), queue


async def test_each_is_one_call_on_the_lease() -> None:
    calls, queue = running()
    await calls.begun(attempt())
    await calls.store(attempt())
    await calls.once(attempt(), OnceRequest(attempt_id="t", number=3, key="order", act="begin"))
    assert [call for call, (lease, *_), _ in queue.calls if lease is LEASE] == ["begin", "store", "once"]
    assert queue.calls[0][2] == {"used": b"[]"}
    assert queue.calls[2][1][1:] == ("order", "begin")


async def test_a_step_is_told_with_its_event_and_not_told_again() -> None:
    calls, queue = running()
    queue.answers.append(RedisClientError("away"))
    await calls.progress(attempt(), STEP)
    ((call, (_, step, event), _),) = queue.calls
    assert (call, json.loads(step)["text"], json.loads(event)["event"]) == ("progress", "logged in", "progress")
    number = json.loads(event)["attempt"]
    assert number == json.loads(step)["attempt"] == json.loads(event)["detail"]["attempt"] > 0

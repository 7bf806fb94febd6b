"""A job that runs without Redis calls nothing of a queue's consumer."""

import inspect

from pageworker_supervisor.local_worker import LocalConsumer
from pageworker_supervisor.queue.consumer import JobConsumer


def test_every_call_of_a_lease_has_an_answer_without_redis() -> None:
    of_a_lease = {
        name
        for name, method in vars(JobConsumer).items()
        if inspect.iscoroutinefunction(method) and name[0] != "_" and "lease" in inspect.signature(method).parameters
    }
    assert {"finish", "store"} < of_a_lease
    assert of_a_lease - vars(LocalConsumer).keys() == {"retry"}, "a local job has no retries"

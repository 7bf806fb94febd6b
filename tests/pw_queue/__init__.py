"""A queue for tests: a real Redis whose clock a test moves on, and short words for jobs, places and ends."""

from pw_queue.harness import LEASE_ENDS, LeaseEnd, QueueHarness, blocked, open_harness, plain_client, wait_until
from pw_queue.monitored import begun_job
from pw_queue.words import DONE, JobEnd, everything, finish_all, places, ref, ticket

__all__ = [
    "DONE",
    "LEASE_ENDS",
    "JobEnd",
    "LeaseEnd",
    "QueueHarness",
    "begun_job",
    "blocked",
    "everything",
    "finish_all",
    "open_harness",
    "places",
    "plain_client",
    "ref",
    "ticket",
    "wait_until",
]

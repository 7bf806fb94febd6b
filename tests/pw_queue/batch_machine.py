"""A machine of hypothesis: any order of what befalls one batch and its jobs, on a real Redis, against a model."""

import asyncio
import json
from collections import Counter
from collections.abc import Coroutine
from typing import Any, TypeVar

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pageworker_sandbox.state_machine import next_state
from pageworker_supervisor.contract.batch import BatchRef, BatchSpec, CompleteOn
from pageworker_supervisor.contract.batch_state import START, TRANSITIONS, BatchEvent, BatchState
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.queue.batch_tables import NO_FAILURES, STATUSES
from pageworker_supervisor.queue.errors import CancelHolds
from pageworker_supervisor.queue.producer import NewJob
from pw_queue.harness import QueueHarness
from pw_queue.words import everything

T = TypeVar("T")
TENANT, BATCH = "acme", BatchRef("acme", "b")
DEADLINE_SECONDS = 60
JOBS = st.sampled_from([f"j{number}" for number in range(8)])
LETTERED = frozenset({"failed", "dead"})


class BatchMachine(RuleBasedStateMachine):
    """One Redis and one harness for all runs, emptied before each. The clock moves by rules alone."""

    harness: QueueHarness
    runner: asyncio.Runner
    events: Any
    """A subscription to the events of the tenant."""

    def __init__(self) -> None:
        super().__init__()
        self.harness.ahead = 0
        self._run(self.harness.client.flushall())
        self._run(self.harness.stop_clock())
        self._run(self.harness.later(0))
        self.queue = self.harness.queue
        self.state = START
        self.ended: dict[str, str | None] = {}
        """How each job of the batch has ended, None: it has not."""
        self.letters: set[str] = set()
        self.completions: list[int] = []
        """The rounds that were completed."""
        self.round = 1
        self.told: list[int] = []
        self.rejected: set[bytes] = set()
        """Texts that were rejected before."""

    @initialize(size=st.sampled_from([None, 1, 3, 6]), complete_on=st.sampled_from(["all_ended", "first_failure"]))
    def open(self, size: int | None, complete_on: CompleteOn) -> None:
        """The batch of this run."""
        self.spec = BatchSpec(
            batch_id="b",
            size=size,
            complete_on=complete_on,
            callback_url="https://n8n.test/hook",
            deadline_seconds=DEADLINE_SECONDS,
        )
        assert self._run(self.queue.batches.open(TENANT, self.spec)) == "opened"
        assert self._run(self.queue.batches.open(TENANT, self.spec)) == "same"
        self._happens(BatchEvent.OPEN)
        self.deadline = self.harness.ahead + DEADLINE_SECONDS * 1000

    @rule(jobs=st.lists(JOBS, min_size=1, max_size=4), copies=st.integers(1, 2))
    def push(self, jobs: list[str], copies: int) -> None:
        """Jobs come, some of them twice."""
        tickets = [
            NewJob(job_id=job, tenant_id=TENANT, batch_id="b", body=_text(job), module=("m", None))
            for job in jobs * copies
        ]
        replies = self._run(self.queue.producer.enqueue(tickets))
        for ticket, reply in zip(tickets, replies, strict=True):
            assert reply == self._pushed(ticket.job_id)

    def _pushed(self, job: str) -> str:
        known = job in self.ended
        if known and self.ended[job] != "rejected":
            return "duplicate"
        if known:
            if self.state is BatchState.COMPLETE:
                return "batch_closed"
            self._happens(BatchEvent.REQUEUE_JOB)
        elif self.spec.size is not None and len(self.ended) >= self.spec.size:
            return "batch_full"
        elif self.state is not BatchState.OPEN:
            return "batch_closed"
        else:
            self._happens(BatchEvent.ADD_JOB)
        self.ended[job] = None
        self._close_if_full()
        return "queued"

    def _close_if_full(self) -> None:
        if self.state is BatchState.OPEN and len(self.ended) == self.spec.size and self.round == 1:
            self._happens(BatchEvent.CLOSE)

    @rule(job=JOBS, number=st.integers(0, 2))
    def reject(self, job: str, number: int) -> None:
        """A text that names this job is not valid. The same text may be read again."""
        raw = f"{job} {number}".encode()
        self._run(self.queue.producer.reject(raw, "why", JobRef(TENANT, job), raw, None, "", batch="b"))
        new = raw not in self.rejected
        self.rejected.add(raw)
        full = self.spec.size is not None and len(self.ended) >= self.spec.size
        if new and job not in self.ended and self.state is BatchState.OPEN and not full:
            self._happens(BatchEvent.ADD_JOB)
            self.ended[job] = None
            self._close_if_full()
            self._end(job, "rejected")

    @rule(pick=st.integers(0, 7), status=st.sampled_from(["succeeded", "failed", "blocked", "dead"]))
    def end_one(self, pick: int, status: str) -> None:
        """A worker ends one job, and gives the others back."""
        leases = self._run(self.queue.consumer.claim("w1", everything())).leases
        for number, lease in enumerate(leases):
            if number != pick % len(leases):
                assert self._run(self.queue.consumer.requeue(lease))
                continue
            ends = lease.ending or status
            for _ in range(2):  # the second call repeats the first
                ends = self._finish(lease, ends)
            if ends in LETTERED:
                self.letters.add(lease.job_id)
            self._end(lease.job_id, ends)

    def _finish(self, lease: Any, status: str) -> str:
        try:
            letter = b"{}" if status in LETTERED else None
            assert self._run(self.queue.consumer.finish(lease, status, b"{}", dead_letter=letter))
        except CancelHolds:
            assert self._run(self.queue.consumer.finish(lease, "cancelled", b"{}"))
            return "cancelled"
        return status

    @rule()
    def lose_worker(self) -> None:
        """A worker claims all jobs and is lost."""
        self._run(self.queue.consumer.claim("w2", everything()))
        self._run(self.queue.consumer.disown_worker("w2"))
        self._deadline_passes()

    @rule(job=JOBS)
    def cancel_job(self, job: str) -> None:
        """A job of the batch is cancelled alone."""
        if self.ended.get(job, "") is None:
            self._run(self.queue.inspection.cancel(JobRef(TENANT, job)))

    @rule()
    def cancel(self) -> None:
        """The whole batch is cancelled."""
        assert self._run(self.queue.batches.cancel(BATCH)) is not None
        self._happens(BatchEvent.CANCEL)
        self._settle()

    @rule()
    def close(self) -> None:
        """No further job is added."""
        assert self._run(self.queue.batches.close(BATCH))
        self._happens(BatchEvent.CLOSE)
        self._settle()

    @rule(pick=st.integers(0, 7))
    def retry_letter(self, pick: int) -> None:
        """An operator retries one dead letter."""
        found = [letter for letter in self._run(self.queue.dead_letters.page(100)).letters if letter.retryable]
        if found:
            letter = found[pick % len(found)]
            word = self._run(self.queue.dead_letters.retry([letter.id]))[letter.id]
            assert letter.job_id is not None
            assert word == ("duplicate" if self.ended[letter.job_id] is None else "queued")
            if word == "queued":
                self._requeue(letter.job_id)

    def _requeue(self, job: str) -> None:
        self._happens(BatchEvent.REQUEUE_JOB)
        self.letters.discard(job)
        self.ended[job] = None

    @rule()
    def retry(self) -> None:
        """The failed jobs of the batch are queued again."""
        again = {job for job in self.letters if self.ended[job] in LETTERED}
        done = self._run(self.queue.batches.retry(BATCH))
        assert done is not None
        assert done.queued == len(again)
        reopened = bool(again) and self.state is BatchState.COMPLETE
        if reopened:
            self._happens(BatchEvent.RETRY)
            self.round += 1
            self.deadline = self.harness.ahead + DEADLINE_SECONDS * 1000
        for job in again:
            self._requeue(job)
        if reopened:
            self._happens(BatchEvent.CLOSE)
            self._settle()

    @rule(seconds=st.sampled_from([5, 20, 61]))
    def time_passes(self, seconds: int) -> None:
        """A reap follows."""
        self._run(self.harness.later(seconds * 1000))
        self._run(self.queue.consumer.reap())
        self._deadline_passes()

    def _deadline_passes(self) -> None:
        if self.state in (BatchState.OPEN, BatchState.CLOSED) and self.harness.ahead >= self.deadline:
            self._complete(BatchEvent.DEADLINE)

    # -- the model

    def _happens(self, event: BatchEvent) -> None:
        self.state = next_state(TRANSITIONS, self.state, event)

    def _complete(self, event: BatchEvent) -> None:
        self._happens(event)
        self.completions.append(self.round)

    def _end(self, job: str, status: str) -> None:
        self._happens(BatchEvent.END_JOB)
        self.ended[job] = status
        fails = self.spec.complete_on == "first_failure" and status not in NO_FAILURES
        if fails and self.state is not BatchState.COMPLETE:
            self._complete(BatchEvent.FIRST_FAILURE)
        self._settle()

    def _settle(self) -> None:
        if self.state is BatchState.CLOSED and None not in self.ended.values():
            self._complete(BatchEvent.ALL_ENDED)

    # -- what always holds

    @invariant()
    def counts_are_the_truth(self) -> None:
        """The state, and how many jobs ended how."""
        view = self._run(self.queue.batches.show(BATCH))
        if view is None:
            assert self.state is START
            return
        truth = Counter(self.ended.values())
        assert {status: view.counts[status] for status in STATUSES} == {status: truth[status] for status in STATUSES}
        assert view.counts["waiting"] + view.counts["running"] == truth[None]
        assert (view.state, view.round, view.job_count) == (self.state.value, self.round, len(self.ended))

    @invariant()
    def each_round_is_completed_once(self) -> None:
        """By events, and by promises of callbacks."""
        for missing in (True, False):  # what must come, then what must not
            self._read_events(wait=missing and len(self.told) < len(self.completions))
        assert self.told == self.completions
        promised = self._run(self.harness.client.keys("pw:{0}:outbox_entry:batch:*"))
        assert len(promised) == len(self.completions)

    def _read_events(self, *, wait: bool) -> None:
        timeout = 5 if wait else 0
        while (
            message := self._run(self.events.get_message(ignore_subscribe_messages=True, timeout=timeout))
        ) is not None:
            timeout = 0
            event = json.loads(message["data"])
            if event["event"] == "batch_done":
                self.told.append(event["detail"]["round"])

    @invariant()
    def adds_up(self) -> None:
        """Everything that is derived."""
        assert self._run(self.queue.inspection.check_consistency()) == []

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(coroutine)


def _text(job: str) -> bytes:
    return msgspec.json.encode({"job_id": job, "tenant_id": TENANT, "endpoint_module": "m", "batch_id": "b"})

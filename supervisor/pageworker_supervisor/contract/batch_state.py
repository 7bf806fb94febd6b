"""The states of a batch, and the events that move it from one to the next.

Theory of operation
===================

A batch is a set of jobs of one tenant that is answered once as a whole. It is OPEN while jobs may be added. CLOSE ends
that: a call says so, the batch has as many jobs as its size, or a CANCEL came. A CLOSED batch waits for its jobs.

A batch becomes COMPLETE once per round, and in one of three ways: ALL_ENDED (it is closed, and each of its jobs has a
result), FIRST_FAILURE (where it was opened so), DEADLINE. The same call of a Redis Function that ends the last job, or
that finds the deadline, writes the state, the event and the promise of the callback.

RETRY opens a complete batch for a further round: its failed jobs are queued again, and then it is closed again. A batch
that is COMPLETE while jobs of it still run counts their ends, and is not completed by them again.

NEW has no record. After its time to live a complete batch has none either, and its id is NEW again.

The record is in Redis, so the table is enforced there: `queue/library.py` generates it as Lua, and the Lua function
`Batch.transition` is the only writer of the state. The table is checked in Python and on a real Redis for every pair
(`tests/contract/test_batch_state.py`, `tests/queue/test_batch_state.py`).
"""

from enum import Enum

from pageworker_sandbox.state_machine import TransitionTable


class BatchState(Enum):
    """Where a batch is. The values stand in Redis, in the API and in the output of `workerctl batch`."""

    NEW = "new"
    OPEN = "open"
    CLOSED = "closed"
    COMPLETE = "complete"


class BatchEvent(Enum):
    """What happens to a batch."""

    OPEN = "open"
    ADD_JOB = "add_job"
    """A job is added that it did not have."""
    REQUEUE_JOB = "requeue_job"
    """A job that had ended is queued again: a rejected one was corrected, or a dead letter is retried."""
    END_JOB = "end_job"
    """One of its jobs has its result."""
    CLOSE = "close"
    CANCEL = "cancel"
    """Its jobs that have not ended are cancelled."""
    ALL_ENDED = "all_ended"
    FIRST_FAILURE = "first_failure"
    DEADLINE = "deadline"
    RETRY = "retry"


_S, _E = BatchState, BatchEvent

TRANSITIONS: TransitionTable[BatchState, BatchEvent] = {
    (_S.NEW, _E.OPEN): _S.OPEN,
    (_S.OPEN, _E.ADD_JOB): _S.OPEN,
    (_S.OPEN, _E.REQUEUE_JOB): _S.OPEN,
    (_S.OPEN, _E.END_JOB): _S.OPEN,
    (_S.OPEN, _E.CLOSE): _S.CLOSED,
    (_S.OPEN, _E.CANCEL): _S.CLOSED,
    (_S.OPEN, _E.FIRST_FAILURE): _S.COMPLETE,
    (_S.OPEN, _E.DEADLINE): _S.COMPLETE,
    (_S.CLOSED, _E.REQUEUE_JOB): _S.CLOSED,
    (_S.CLOSED, _E.END_JOB): _S.CLOSED,
    (_S.CLOSED, _E.CLOSE): _S.CLOSED,
    (_S.CLOSED, _E.CANCEL): _S.CLOSED,
    (_S.CLOSED, _E.ALL_ENDED): _S.COMPLETE,
    (_S.CLOSED, _E.FIRST_FAILURE): _S.COMPLETE,
    (_S.CLOSED, _E.DEADLINE): _S.COMPLETE,
    (_S.COMPLETE, _E.REQUEUE_JOB): _S.COMPLETE,
    (_S.COMPLETE, _E.END_JOB): _S.COMPLETE,
    (_S.COMPLETE, _E.CLOSE): _S.COMPLETE,
    (_S.COMPLETE, _E.CANCEL): _S.COMPLETE,
    (_S.COMPLETE, _E.RETRY): _S.OPEN,
}

START = BatchState.NEW
FINALS = frozenset({BatchState.COMPLETE})
COMPLETIONS = frozenset({BatchEvent.ALL_ENDED, BatchEvent.FIRST_FAILURE, BatchEvent.DEADLINE})

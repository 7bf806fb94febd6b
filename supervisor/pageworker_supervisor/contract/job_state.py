"""The states of a job, and the events that move it from one to the next.

Theory of operation
===================

A job has one state at any time. Only events change it, and only as `TRANSITIONS` says: a pair of state and event
without an entry is illegal. The job's record lives in Redis, so the table is enforced there: `queue/library.py`
generates the Lua constants from this file, and the Lua function `Job.transition` is the only writer of the state. It
refuses an illegal transition with an error that names state, event and job. The table is checked in Python and on a
real Redis for every pair (`tests/contract/test_job_state.py`, `tests/queue/test_job_state.py`).

NEW and ENDED have no record. A job is NEW while its push is being taken in. A job that has ENDED has its one result;
its id is remembered for as long as the result is kept.

A job waits as QUEUED (it may be claimed) or as DELAYED (it runs no earlier than a given time, after which it comes
due). A claim makes it RUNNING: a worker holds its lease and its permits. A lease ends in one of three ways:

- FINISH: the worker stores the job's result.
- RETRY, CRASH, DEFER, REQUEUE, REASSIGN or REAP: the job goes back into the queue. REAP is the loss of the worker.
- CANCEL, EXPIRE or GIVE_UP: the job would go back into the queue, but was cancelled or has expired meanwhile, or has
  crashed its runner too often.

A job that must not run (again) still needs its one result, and only a worker can write a result. So it is ENDING: any
worker claims it, without a page and without permits. It is then FINISHING. If that worker returns it or dies, it is
ENDING again.

Where a handler has ended and its artifacts take long to be stored, STORE makes the job STORING: its worker keeps the
lease and gives up the permits. The lease ends as that of a running job does.

A cancellation of a running or storing job does not change its state: REQUEST_CANCEL is noted, and its worker is told.
The job then ends as cancelled, whatever its worker reports.

A dead letter is a copy of a job that has ended. REVIVE takes its id into use again; the copy itself may be purged in
any state, which is no event of the job.
"""

from enum import Enum

from pageworker_sandbox.state_machine import TransitionTable


class JobState(Enum):
    """Where a job is. The values stand in Redis and in the output of `workerctl jobs`."""

    NEW = "new"
    QUEUED = "queued"
    DELAYED = "delayed"
    RUNNING = "running"
    STORING = "storing"
    ENDING = "ending"
    FINISHING = "finishing"
    ENDED = "ended"


class JobEvent(Enum):
    """What happens to a job."""

    ENQUEUE = "enqueue"
    ENQUEUE_LATER = "enqueue_later"
    COME_DUE = "come_due"
    CLAIM = "claim"
    BEGIN = "begin"
    """A handler begins: the job does not expire any more."""
    STORE = "store"
    """Its handler has ended, and its worker still stores its artifacts."""
    FINISH = "finish"
    RETRY = "retry"
    CRASH = "crash"
    """Its runner died."""
    REAP = "reap"
    """Its lease expired: the worker is gone."""
    DEFER = "defer"
    REQUEUE = "requeue"
    REASSIGN = "reassign"
    """Its module may reach other hosts than when it was queued, so it moves to another context."""
    REASSIGN_LATER = "reassign_later"
    """The same for a job that has moved several times."""
    REQUEST_CANCEL = "request_cancel"
    CANCEL = "cancel"
    EXPIRE = "expire"
    GIVE_UP = "give_up"
    """It has crashed its runner too often."""
    REVIVE = "revive"
    """Its dead letter is retried."""


_S, _E = JobState, JobEvent

TRANSITIONS: TransitionTable[JobState, JobEvent] = {
    (_S.NEW, _E.ENQUEUE): _S.QUEUED,
    (_S.NEW, _E.ENQUEUE_LATER): _S.DELAYED,
    (_S.NEW, _E.CANCEL): _S.ENDING,
    (_S.NEW, _E.REVIVE): _S.NEW,
    (_S.QUEUED, _E.CLAIM): _S.RUNNING,
    (_S.QUEUED, _E.CANCEL): _S.ENDING,
    (_S.QUEUED, _E.EXPIRE): _S.ENDING,
    (_S.DELAYED, _E.COME_DUE): _S.QUEUED,
    (_S.DELAYED, _E.CANCEL): _S.ENDING,
    (_S.DELAYED, _E.EXPIRE): _S.ENDING,
    (_S.RUNNING, _E.BEGIN): _S.RUNNING,
    (_S.RUNNING, _E.REQUEST_CANCEL): _S.RUNNING,
    (_S.RUNNING, _E.REQUEUE): _S.QUEUED,
    (_S.RUNNING, _E.REASSIGN): _S.QUEUED,
    (_S.RUNNING, _E.REASSIGN_LATER): _S.DELAYED,
    (_S.RUNNING, _E.RETRY): _S.DELAYED,
    (_S.RUNNING, _E.CRASH): _S.DELAYED,
    (_S.RUNNING, _E.REAP): _S.DELAYED,
    (_S.RUNNING, _E.DEFER): _S.DELAYED,
    (_S.RUNNING, _E.CANCEL): _S.ENDING,
    (_S.RUNNING, _E.EXPIRE): _S.ENDING,
    (_S.RUNNING, _E.GIVE_UP): _S.ENDING,
    (_S.RUNNING, _E.FINISH): _S.ENDED,
    (_S.RUNNING, _E.STORE): _S.STORING,
    (_S.STORING, _E.BEGIN): _S.STORING,
    (_S.STORING, _E.REQUEST_CANCEL): _S.STORING,
    (_S.STORING, _E.REQUEUE): _S.QUEUED,
    (_S.STORING, _E.RETRY): _S.DELAYED,
    (_S.STORING, _E.CRASH): _S.DELAYED,
    (_S.STORING, _E.REAP): _S.DELAYED,
    (_S.STORING, _E.DEFER): _S.DELAYED,
    (_S.STORING, _E.CANCEL): _S.ENDING,
    (_S.STORING, _E.EXPIRE): _S.ENDING,
    (_S.STORING, _E.GIVE_UP): _S.ENDING,
    (_S.STORING, _E.FINISH): _S.ENDED,
    (_S.ENDING, _E.CLAIM): _S.FINISHING,
    (_S.FINISHING, _E.BEGIN): _S.FINISHING,
    (_S.FINISHING, _E.REQUEUE): _S.ENDING,
    (_S.FINISHING, _E.REASSIGN): _S.ENDING,
    (_S.FINISHING, _E.RETRY): _S.ENDING,
    (_S.FINISHING, _E.CRASH): _S.ENDING,
    (_S.FINISHING, _E.REAP): _S.ENDING,
    (_S.FINISHING, _E.DEFER): _S.ENDING,
    (_S.FINISHING, _E.FINISH): _S.ENDED,
    (_S.ENDED, _E.REVIVE): _S.NEW,
}

START = JobState.NEW
FINALS = frozenset({JobState.ENDED})

"""The fields of a job's record, `job:<job>` in Redis: the one table of their names, for Python and Lua.

`queue/library.py` gives the names to Lua as `JOB_FIELDS`. A test holds the Lua sources and docs/redis-keys.md against
it. Times are milliseconds since the epoch on Redis' clock.
"""

JOB_FIELDS = {
    "state": "one of `JobState`; written by `Job.transition` alone",
    "tenant": "its tenant",
    "priority": "`h`, `m` or `l`",
    "context": "the text of its `ContextKey`",
    "domain": "the key of its domain's limits, `-` without one",
    "push": "the push that brought it",
    "pushed_at": "when it was first pushed",
    "queued_at": "since when it has been ready to run, in this attempt",
    "backlog_stamp": "number of its valid backlog entry; entries with another number are void",
    "attempts_used": "attempts that were charged",
    "crashes": "how often its runner died, or its worker was lost, while it was claimed",
    "moves": "how often it moved to a context with other hosts",
    "past_attempts": "past attempts, one JSON object per line",
    "expires_at": "a handler must have begun by then",
    "begun": "1 once a handler has begun; the job does not expire any more",
    "cancel_requested": "1 once its cancellation was acknowledged while it ran",
    "ending": "how a job that is ending ends: `cancelled`, `expired` or `dead`",
    "defer_reason": "why a worker put it off without charge, while it waits",
    "token": "lease: the fencing token",
    "worker": "lease: who holds it",
    "entry": "lease: its pending entry in `ready`",
    "started_at": "lease: since when",
    "fence": "lease: the fence of its profile's lock",
    "last_token": "the last token that was given up; a repeated call with it gets the same answer",
}
"""Name and meaning."""

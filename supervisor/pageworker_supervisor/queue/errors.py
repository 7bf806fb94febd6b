"""What a call of the queue can answer beside the errors of the Redis client."""

from pageworker_supervisor.redis_client.errors import RedisClientError, RedisUnavailable


class CancelHolds(RedisClientError):
    """Nothing was stored: a cancellation of this job was acknowledged before. Finish it as `cancelled`."""


class ConfigStoreDamaged(Exception):
    """The central configuration in Redis is no document: a key was written by hand that only functions write."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"the document of the central configuration in Redis cannot be read: {why}. Set it again with"
            " `workerctl config rollback` to a version of `workerctl config history`"
        )


class AuditHeadDamaged(Exception):
    """The head of the audit log in Redis was written by hand: only functions write it."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(f"the head of the audit log in Redis, {key}, is damaged: {why}")
        self.key = key


class SchemaMismatch(RedisUnavailable):
    """The state in Redis has another schema version than this worker. Nothing was read or written.

    Retryable, as an operator can fix it without a restart of this worker.
    """

    def __init__(self, root: str, found: str, expected: int) -> None:
        if found == "none":
            what = "was written by a release before schema versions"
            mend = "let workers of that release drain it and delete its keys, or set another redis.prefix"
        else:
            newer = found.isdecimal() and int(found) > expected
            what = f"has schema version {found}"
            mend = "upgrade this worker" if newer else "let workers of the older release drain it and delete its keys"
        super().__init__(f"the state of shard {root} {what}, this worker supports version {expected}: {mend}")

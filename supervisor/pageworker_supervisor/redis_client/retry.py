"""The one retry loop around calls to Redis.

Theory of operation
-------------------
redis-py is told to repeat nothing (clients.py): it cannot know which commands may run twice. Every failed call
therefore ends as one of our errors (errors.py). There are three rules, and each error falls under one of them.

1. *Repeated at once*, one time (`once_more`). The caller lists the errors for which it wants this, each with a repair
   that runs before the second try.
   - `ConnectionLost`: the connection broke, so the command may have run. Only for commands that may run twice. Most
     often the server has only closed an idle connection, and the second try on a new connection is served.
   - `FunctionMissing`, `GroupMissing`: a new or emptied primary. The repair loads the functions or creates the group.
   A second failure is raised: then it is an outage, and the next rule applies.
2. *Waited out* (`Availability.retry_until_available`), without a limit: every `RedisUnavailable`, and `WrongType`. They
   pass, or an operator can mend them while the worker runs. Where Redis is cut off, one task probes it and all callers
   wait for that; where Redis refuses some calls only, each caller waits for a growing, jittered delay.
3. *Raised*: every other `RedisRefused`. It is a bug, and repeating does not mend it.

Rule 1 surrounds one command, rule 2 a whole operation of several commands. Operations of the queue carry an id, a
fencing token or a nonce, so that each may be repeated as a whole. The command line uses rule 1 only: an operator
wants to see the error.

*Replicas.* A write that must survive a failover is sent together with WAIT (replicated.py). If too few replicas confirm
it in time, `NotReplicated` is raised: rule 2 repeats the whole write.

*Redis Cluster.* MOVED and ASK are followed within one try (router.py) and never arrive here. TRYAGAIN, CLUSTERDOWN and
an uncovered slot are `RedisUnavailable`: rule 2.

*Blocking reads* (BLMPOP, BLMOVE, XREADGROUP) take what they return. After a lost reply a repeated read would take the
next element and leave the first one behind, so rule 1 does not apply to them. Rule 2 tells the caller before each
further try (`before_retry`), so that it first looks for what it may have taken: intake reads its own pending texts, the
dispatcher claims once without a wake-up.

redis-py's own `Retry` is not used for the loop: it knows its own error classes only, calls its failure handler once
more after the last try, and sleeps by a schedule, while rule 2 ends its waiting with an event.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from pageworker_supervisor.redis_client.errors import RedisClientError

T = TypeVar("T")

BeforeRetry = Callable[[RedisClientError, int], Awaitable[None]]
"""Called with the error and the number of failures before it. Returns when to try again, or raises the error."""
Repair = Callable[[], Awaitable[None]]


async def retry(call: Callable[[], Awaitable[T]], before_retry: BeforeRetry) -> T:
    """Call until it succeeds, or until `before_retry` raises."""
    failures = 0
    while True:
        try:
            return await call()
        except RedisClientError as error:
            await before_retry(error, failures)
        failures += 1


def once_more(repairs: Mapping[type[RedisClientError], Repair]) -> BeforeRetry:
    """Rule 1: after an error of one of these classes, run its repair and try one more time."""

    async def before_retry(error: RedisClientError, failures: int) -> None:
        repair = repairs.get(type(error))
        if failures or repair is None:
            raise error
        await repair()

    return before_retry


async def no_repair() -> None:
    """For errors after which only the next try differs: a lost connection is replaced by it."""

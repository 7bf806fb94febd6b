"""What Redis can answer instead of what was asked, split by who can mend it."""

from redis import exceptions as rx


class EngineError(Exception):
    """Base of all errors of this room."""

    retryable = False


class Unavailable(EngineError):
    """Redis cannot serve this now: cut off, failing over, loading, moving a slot, out of memory.

    Nothing was lost: the same call, with the same arguments, may be made again later.
    """

    retryable = True


class OutOfMemory(Unavailable):
    """Redis is at maxmemory: what frees memory still works, what takes memory is refused."""


class Unsettled(Unavailable):
    """Stored on the primary, but not yet on as many replicas as were asked for."""


class CancelHolds(EngineError):
    """Nothing was stored: a cancellation of this job was acknowledged before. Finish it as `cancelled`."""


class Refused(EngineError):
    """Redis understood and said no: missing ACL rights, a wrong type of key, a bug of ours."""


CLIENT_ERRORS = (rx.RedisError, rx.RedisClusterException, OSError)
"""Everything that a call of the client library ends with. RedisClusterException (no node answers) is no RedisError."""

# First words of error replies that pass by themselves.
# https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/ and src/server.c (shared.*err)
PASSING = (
    "READONLY",
    "LOADING",
    "CLUSTERDOWN",
    "MOVED",
    "ASK",
    "TRYAGAIN",
    "NOREPLICAS",
    "MASTERDOWN",
    "UNBLOCKED",
    "NOGROUP",
    "BUSY ",
    "UNKILLABLE",
    "MISCONF",
    "WAIT cannot be used with replica",  # it was demoted between a write and its WAIT
    "ERR max number of clients reached",
)


def is_function_missing(error: Exception) -> bool:
    """True for a primary that has not been given our library yet."""
    return "Function not found" in str(error)


def classify(error: Exception) -> EngineError:
    """The engine's word for an error of the client library."""
    text = str(error)
    said = f"{type(error).__name__}: {text}"  # the client takes codes such as READONLY off the text
    if isinstance(error, rx.OutOfMemoryError) or text.startswith("OOM"):
        return OutOfMemory(said)
    if isinstance(error, (rx.AuthenticationError, rx.AuthorizationError, rx.NoPermissionError)):
        return Refused(said)
    if isinstance(error, (rx.ConnectionError, rx.TimeoutError, rx.ClusterError, rx.RedisClusterException)):
        return Unavailable(said)
    if isinstance(error, (rx.AskError, rx.TryAgainError, rx.ReadOnlyError, OSError)):
        return Unavailable(said)
    if text.startswith(PASSING) or is_function_missing(error):
        return Unavailable(said)
    return Refused(said)

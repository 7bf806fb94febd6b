"""What goes wrong between the worker and Redis, split by who can fix it."""

import re

from redis import exceptions as rx


class RedisClientError(Exception):
    """Base of all errors of calls to Redis."""

    retryable = False


class RedisUnavailable(RedisClientError):
    """Redis cannot serve this now: cut off, failing over, loading, moving a slot, out of memory, refusing us.

    Nothing was lost: the same call, with the same arguments, may be made again later.
    """

    retryable = True


class OutOfMemory(RedisUnavailable):
    """Redis is at maxmemory: what frees memory still works, what takes memory is refused."""


class Denied(RedisUnavailable):
    """Redis refuses the user or the password. An operator can fix it, without a restart of ours; `mend` says how."""

    def __init__(self, text: str, mend: str) -> None:
        super().__init__(f"{text}; {mend}")
        self.mend = mend


class RightMissing(Denied):
    """The user may do other things, but not this one: it lacks a right, or the server lacks the command."""


class RedisRefused(RedisClientError):
    """Redis understood and said no: a bug of ours, or a key of the wrong type."""


class WrongType(RedisRefused):
    """A key below our prefix holds something else than we put there: somebody else wrote it, and can take it away."""


class EmbeddedUnfit(OSError):
    """The daemon's own Redis cannot be started here: no program, no port, no space, or the folder is in use."""

    def __init__(self, what: str, mend: str) -> None:
        super().__init__(f"{what}; {mend}")
        self.mend = mend


CLIENT_ERRORS = (rx.RedisError, rx.RedisClusterException, OSError)
"""Everything that a call of the client library ends with. RedisClusterException (no node answers) is no RedisError."""

# First words of error replies that pass by themselves, and what they mean. The client takes some codes off the text and
# makes a class of them. Sources: src/server.c (shared.*err) and
# https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/
PASSING = (
    ("READONLY", "Redis is a replica, which takes no writes"),
    ("LOADING", "Redis is loading its data"),
    ("CLUSTERDOWN", "the Redis Cluster is down"),
    ("MOVED", "Redis has moved a slot"),
    ("ASK", "Redis is moving a slot"),
    ("TRYAGAIN", "Redis is moving a slot"),
    ("NOREPLICAS", "Redis has fewer replicas than it needs for writes"),
    ("MASTERDOWN", "the Redis replica has lost its primary"),
    ("UNBLOCKED", "Redis ended a blocking call"),
    ("NOGROUP", "the stream's group is gone"),
    ("BUSY ", "Redis is busy with a script"),
    ("UNKILLABLE", "Redis is busy with a script"),
    ("MISCONF", "Redis cannot write to its disk"),
    # It was demoted between a write and its WAIT.
    ("WAIT cannot be used with replica", "Redis is a replica, which takes no writes"),
    ("ERR max number of clients reached", "Redis has as many clients as it takes"),
    ("max number of clients reached", "Redis has as many clients as it takes"),
)
CLASSES: tuple[tuple[type[Exception], str], ...] = (
    (rx.BusyLoadingError, "Redis is loading its data"),
    (rx.ReadOnlyError, "Redis is a replica, which takes no writes"),
    (rx.MasterDownError, "the Redis replica has lost its primary"),
    (rx.ClusterDownError, "the Redis Cluster is down"),
    (rx.MaxConnectionsError, "this worker has all its connections to Redis in use"),
    (rx.TryAgainError, "Redis is moving a slot"),
    (rx.AskError, "Redis is moving a slot"),
    (rx.TimeoutError, "Redis does not answer in time"),
    (rx.InvalidResponse, "what answers is no Redis"),
    (rx.ConnectionError, "Redis does not answer"),
    (rx.ClusterError, "the Redis Cluster does not answer"),
    (rx.RedisClusterException, "the Redis Cluster does not answer"),
    (OSError, "Redis does not answer"),
)
"""A class stands before its bases."""
NO_RIGHT = "give the user the rights in pageworker.acl (docs/redis.md)"
BAD_LOGIN = "check redis.url or redis.password_file; percent-encode @ : / in a URL"
DENIALS = (
    ("NOAUTH", "Redis wants a password", "give user and password in redis.url, or redis.password_file"),
    ("Authentication required", "Redis wants a password", "check redis.url or redis.password_file"),
    ("WRONGPASS", "Redis refused the password", BAD_LOGIN),
    ("DENIED", "Redis takes clients of its own host only", "give its default user a password, or bind it elsewhere"),
)


def is_function_missing(error: Exception) -> bool:
    """True for a primary that has not been given our library yet."""
    return "Function not found" in str(error)


_IN_SCRIPT = re.compile(r"\.? script: \S+, on @\w+:\d+\.?$")
"""Where in a script or function it happened."""


def classify(error: Exception) -> RedisClientError:
    """Our word for an error of the client library or the socket. Its text begins with what an operator has to know."""
    text = _IN_SCRIPT.sub("", str(error))
    said = f"{type(error).__name__}: {text}"  # the client takes codes such as READONLY off the text
    if isinstance(error, rx.OutOfMemoryError) or text.startswith("OOM"):
        return OutOfMemory(f"Redis is out of memory: {said}")
    if (denied := _denied(error, text)) is not None:
        return denied
    for begin, meaning in PASSING:
        if text.startswith(begin):
            return RedisUnavailable(f"{meaning}: {said}")
    if is_function_missing(error):
        return RedisUnavailable(said)
    for kind, meaning in CLASSES:
        if isinstance(error, kind):
            return RedisUnavailable(f"{meaning}: {said}")
    return WrongType(f"a key has the wrong type: {said}") if text.startswith("WRONGTYPE") else RedisRefused(said)


def _denied(error: Exception, text: str) -> Denied | None:
    for code, meaning, mend in DENIALS:
        if text.startswith(code):
            return Denied(f"{meaning}: {text}", mend)
    # The second is what a script or a function answers whose caller lacks a right.
    missing = text.startswith("NOPERM") or "The user executing the script" in text
    if missing or isinstance(error, (rx.NoPermissionError, rx.AuthorizationError)):
        return RightMissing(f"the Redis user lacks a right: {text}", NO_RIGHT)
    if "unknown command" in text or "unknown subcommand" in text:
        return RightMissing(f"Redis lacks a command: {text}", "it needs Redis 7.0 or later, with no command renamed")
    if isinstance(error, (rx.AuthenticationError, rx.AuthenticationWrongNumberOfArgsError)):
        # Also what a server without the user, or without a password, answers to AUTH.
        return Denied(f"Redis refused the password: {text}", BAD_LOGIN)
    return None

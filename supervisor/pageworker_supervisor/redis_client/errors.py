"""Errors of calls to Redis, split by who can fix them.

`classify` turns an error of redis-py or of the socket into one of these. availability.py says what happens to each.
"""

import re

from redis import exceptions as rx


class RedisClientError(Exception):
    """Base class of every error of a call to Redis."""

    retryable = False


class RedisUnavailable(RedisClientError):
    """Redis cannot serve this call now: cut off, failing over, loading, moving a slot, out of memory, access denied.

    The same call with the same arguments may be made again later.
    """

    retryable = True


class ConnectionLost(RedisUnavailable):
    """The connection could not be made, or broke before the reply. The command may have run."""


class FunctionMissing(RedisUnavailable):
    """This primary does not have our function library yet. The command did not run."""


class GroupMissing(RedisUnavailable):
    """The stream does not exist, or has no such consumer group. The command did not run."""


class NotReplicated(RedisUnavailable):
    """The primary has the write, but fewer replicas than required confirmed it in time."""


class OutOfMemory(RedisUnavailable):
    """Redis is at maxmemory. Commands that free memory still work; commands that need memory are refused."""


class Denied(RedisUnavailable):
    """Redis rejected the credentials, or the user lacks a permission.

    An operator can fix it while the worker runs. `mend` says how.
    """

    def __init__(self, text: str, mend: str) -> None:
        super().__init__(f"{text}; {mend}")
        self.mend = mend


class RightMissing(Denied):
    """The credentials are valid, but the user lacks this permission, or the server lacks the command."""


class ConditionLost(RedisUnavailable):
    """A self-check that is set to `refuse` fails while the worker serves. No call failed: jobs are withheld."""

    def __init__(self, check: str, found: str, mend: str) -> None:
        super().__init__(f"self-check {check}: {found}; {mend}")


class RedisRefused(RedisClientError):
    """Redis rejected the command itself: a bug in pageworker, except for WrongType."""


class WrongType(RedisRefused):
    """A key below our prefix has a type that pageworker did not write. Another client wrote it and can delete it.

    No bug of pageworker: the retry loop waits until the key is gone.
    """


class EmbeddedUnfit(OSError):
    """The embedded Redis cannot start here: no program, no port, no space, or the folder is in use."""

    def __init__(self, what: str, mend: str) -> None:
        super().__init__(f"{what}; {mend}")
        self.mend = mend


class NoRedisServer(EmbeddedUnfit):
    """No redis-server that is new enough is installed here."""


CLIENT_ERRORS = (rx.RedisError, rx.RedisClusterException, OSError)
"""Every error that a call of redis-py can raise. RedisClusterException (no node answers) is not a RedisError."""

# Error replies that pass without a change of ours, by their first words. redis-py removes some codes from the text and
# uses an exception class instead: those stand in CLASSES. Sources: src/server.c (shared.*err) and
# https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/
PASSING: tuple[tuple[str, str, type[RedisUnavailable]], ...] = (
    ("READONLY", "Redis is a replica, which accepts no writes", RedisUnavailable),
    ("LOADING", "Redis is loading its data", RedisUnavailable),
    ("CLUSTERDOWN", "the Redis Cluster is down", RedisUnavailable),
    ("MOVED", "Redis has moved a slot", RedisUnavailable),
    ("ASK", "Redis is moving a slot", RedisUnavailable),
    ("TRYAGAIN", "Redis is moving a slot", RedisUnavailable),
    ("NOREPLICAS", "Redis has fewer replicas than it needs for writes", RedisUnavailable),
    ("MASTERDOWN", "the Redis replica has lost its primary", RedisUnavailable),
    ("UNBLOCKED", "Redis ended a blocking call", RedisUnavailable),
    ("NOGROUP", "the stream's group is gone", GroupMissing),
    ("BUSY ", "Redis is busy with a script", RedisUnavailable),
    ("UNKILLABLE", "Redis is busy with a script", RedisUnavailable),
    ("MISCONF", "Redis cannot write to its disk", RedisUnavailable),
    # The server was demoted between a write and its WAIT.
    ("WAIT cannot be used with replica", "Redis is a replica, which accepts no writes", RedisUnavailable),
    ("ERR max number of clients reached", "Redis has reached its maximum number of clients", RedisUnavailable),
    ("max number of clients reached", "Redis has reached its maximum number of clients", RedisUnavailable),
)
FUNCTION_NOT_FOUND = "Function not found"
CLASSES: tuple[tuple[type[Exception], str, type[RedisUnavailable]], ...] = (
    (rx.BusyLoadingError, "Redis is loading its data", RedisUnavailable),
    (rx.ReadOnlyError, "Redis is a replica, which accepts no writes", RedisUnavailable),
    (rx.MasterDownError, "the Redis replica has lost its primary", RedisUnavailable),
    (rx.ClusterDownError, "the Redis Cluster is down", RedisUnavailable),
    (rx.MaxConnectionsError, "this worker has all its connections to Redis in use", RedisUnavailable),
    (rx.TryAgainError, "Redis is moving a slot", RedisUnavailable),
    (rx.AskError, "Redis is moving a slot", RedisUnavailable),
    (rx.TimeoutError, "Redis does not answer in time", ConnectionLost),
    (rx.InvalidResponse, "the server that answers is not Redis", RedisUnavailable),
    (rx.ConnectionError, "Redis does not answer", ConnectionLost),
    (rx.ClusterError, "the Redis Cluster does not answer", RedisUnavailable),
    (rx.RedisClusterException, "the Redis Cluster does not answer", RedisUnavailable),
    (OSError, "Redis does not answer", ConnectionLost),
)
"""Derived classes stand before their bases."""
NO_RIGHT = "give the user the permissions in pageworker.acl (docs/redis.md)"
BAD_LOGIN = "check redis.url or redis.password_file; percent-encode @ : / in a URL"
DENIALS = (
    ("NOAUTH", "Redis requires a password", "give user and password in redis.url, or redis.password_file"),
    ("Authentication required", "Redis requires a password", "check redis.url or redis.password_file"),
    ("WRONGPASS", "Redis refused the password", BAD_LOGIN),
    ("DENIED", "Redis accepts only clients on its own host", "give its default user a password, or bind it elsewhere"),
)

_IN_SCRIPT = re.compile(r"\.? script: \S+, on @\w+:\d+\.?$")
"""The place in a script or function that Redis adds to an error reply."""


def classify(error: Exception) -> RedisClientError:
    """Our error for one of redis-py or of the socket. Its text begins with what an operator needs to know."""
    text = _IN_SCRIPT.sub("", str(error))
    detail = f"{type(error).__name__}: {text}"  # redis-py removes codes such as READONLY from the text
    if isinstance(error, rx.OutOfMemoryError) or text.startswith("OOM"):
        return OutOfMemory(f"Redis is out of memory: {detail}")
    if (denied := _denied(error, text)) is not None:
        return denied
    for begin, meaning, ours in PASSING:
        if text.startswith(begin):
            return ours(f"{meaning}: {detail}")
    if FUNCTION_NOT_FOUND in text:
        return FunctionMissing(detail)
    for theirs, meaning, ours in CLASSES:
        if isinstance(error, theirs):
            return ours(f"{meaning}: {detail}")
    return WrongType(f"a key has the wrong type: {detail}") if text.startswith("WRONGTYPE") else RedisRefused(detail)


def _denied(error: Exception, text: str) -> Denied | None:
    for code, meaning, mend in DENIALS:
        if text.startswith(code):
            return Denied(f"{meaning}: {text}", mend)
    # The second text is the reply of a script or function whose caller lacks a permission.
    missing = text.startswith("NOPERM") or "The user executing the script" in text
    if missing or isinstance(error, (rx.NoPermissionError, rx.AuthorizationError)):
        return RightMissing(f"the Redis user lacks a permission: {text}", NO_RIGHT)
    if "unknown command" in text or "unknown subcommand" in text:
        return RightMissing(f"Redis lacks a command: {text}", "it needs Redis 7.0 or later, with no command renamed")
    if isinstance(error, (rx.AuthenticationError, rx.AuthenticationWrongNumberOfArgsError)):
        # A server without this user, or without a password, answers AUTH with this class, too.
        return Denied(f"Redis refused the password: {text}", BAD_LOGIN)
    return None

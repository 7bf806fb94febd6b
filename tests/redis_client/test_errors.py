"""Errors of Redis, split by who can fix them. The replies are those of a real Redis 7.0."""

import pytest
from redis import exceptions as rx

from pageworker_supervisor.redis_client.errors import (
    ConnectionLost,
    Denied,
    FunctionMissing,
    GroupMissing,
    OutOfMemory,
    RedisRefused,
    RedisUnavailable,
    WrongType,
    classify,
)


@pytest.mark.parametrize(
    "error",
    [
        rx.BusyLoadingError("Redis is loading the dataset in memory"),
        rx.ReadOnlyError("You can't write against a read only replica."),
        rx.ResponseError("READONLY You can't write against a read only replica. script: f, on @user_function:1."),
        rx.ClusterDownError("CLUSTERDOWN The cluster is down"),
        rx.MasterDownError("Link with MASTER is down"),
        rx.ResponseError("NOREPLICAS Not enough good replicas to write."),
        rx.ResponseError("WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if"),
        rx.TryAgainError("Multiple keys request during rehashing of slot"),
        rx.ResponseError("UNBLOCKED force unblock from blocking operation"),
        rx.MaxConnectionsError("Too many connections"),
        rx.ConnectionError("max number of clients reached"),
        rx.SlotNotCoveredError("Slot 1 is not covered"),
    ],
)
def test_what_passes_is_unavailable(error: Exception) -> None:
    assert type(classify(error)) is RedisUnavailable


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (rx.ConnectionError("Connection closed by server."), ConnectionLost),
        (rx.TimeoutError("Timeout reading from h:1"), ConnectionLost),
        (OSError(113, "No route to host"), ConnectionLost),
        (rx.ResponseError("Function not found"), FunctionMissing),
        (rx.ResponseError("NOGROUP No such key 'pw:jobs' or consumer group 'pw'"), GroupMissing),
    ],
)
def test_what_is_repeated_at_once_has_a_class_of_its_own(error: Exception, kind: type[RedisUnavailable]) -> None:
    assert type(classify(error)) is kind


def test_out_of_memory_is_told_apart() -> None:
    assert isinstance(classify(rx.OutOfMemoryError("command not allowed when used memory > 'maxmemory'.")), OutOfMemory)


@pytest.mark.parametrize(
    ("error", "mend"),
    [
        (rx.AuthenticationError("WRONGPASS invalid username-password pair or user is disabled."), "percent-encode"),
        (rx.AuthenticationError("NOAUTH Authentication required."), "give user and password"),
        (rx.ResponseError("The user executing the script can't access at least one of the keys"), "pageworker.acl"),
        (rx.NoPermissionError("this user has no permissions to run the 'get' command"), "pageworker.acl"),
    ],
)
def test_missing_rights_come_with_a_mend(error: Exception, mend: str) -> None:
    ours = classify(error)
    assert isinstance(ours, Denied)
    assert mend in ours.mend
    assert mend in str(ours)
    assert ours.retryable, "an operator fixes it while the worker goes on"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (rx.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."), "Redis is out of memory"),
        (rx.AuthenticationError("WRONGPASS invalid username-password pair"), "Redis refused the password"),
        (rx.AuthenticationError("Client sent AUTH, but no password is set"), "Redis refused the password"),
        (rx.AuthenticationError("NOAUTH Authentication required."), "Redis requires a password"),
        (rx.ResponseError("DENIED Redis is running in protected mode"), "Redis accepts only clients on its own host"),
        (
            rx.NoPermissionError("this user has no permissions to run the 'fcall' command"),
            "the Redis user lacks a permission",
        ),
        (rx.ResponseError("unknown command 'FCALL', with args beginning with: "), "Redis lacks a command"),
        (rx.ReadOnlyError("You can't write against a read only replica."), "Redis is a replica"),
        (rx.BusyLoadingError("Redis is loading the dataset in memory"), "Redis is loading its data"),
        (rx.ClusterDownError("CLUSTERDOWN The cluster is down"), "the Redis Cluster is down"),
        (rx.MasterDownError("Link with MASTER is down"), "the Redis replica has lost its primary"),
        (rx.ResponseError("NOREPLICAS Not enough good replicas to write."), "Redis has fewer replicas"),
        (rx.ResponseError("MISCONF Errors writing to the AOF file: No space left"), "Redis cannot write to its disk"),
        (rx.ResponseError("BUSY Redis is busy running a script."), "Redis is busy with a script"),
        (rx.ConnectionError("max number of clients reached"), "Redis has reached its maximum number of clients"),
        (rx.ConnectionError("Error 111 connecting to h:1. Connection refused."), "Redis does not answer"),
        (rx.InvalidResponse("Protocol Error: b'HTTP/1.1 400'"), "the server that answers is not Redis"),
        (OSError(24, "Too many open files"), "Redis does not answer"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value,
)
def test_the_text_begins_with_what_an_operator_has_to_know(error: Exception, reason: str) -> None:
    ours = classify(error)
    assert str(ours).startswith(reason)
    assert isinstance(ours, RedisUnavailable), "it passes, or an operator can fix it: it ends no worker"


def test_a_key_of_the_wrong_type_was_written_by_another_client() -> None:
    ours = classify(rx.ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value"))
    assert isinstance(ours, WrongType)
    assert str(ours).startswith("a key has the wrong type")


def test_the_rest_is_a_bug() -> None:
    for text in ("WRONGTYPE Operation against a key holding the wrong kind of value", "wrong number of arguments"):
        ours = classify(rx.ResponseError(text))
        assert isinstance(ours, RedisRefused)
        assert not isinstance(ours, Denied)

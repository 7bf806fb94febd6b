"""What Redis says, told apart by who can mend it. The replies are those of a real Redis 7.0."""

import pytest
from redis import exceptions as rx

from pageworker_supervisor.redis_link.errors import Denied, OutOfMemory, Refused, Unavailable, classify


@pytest.mark.parametrize(
    "error",
    [
        rx.ConnectionError("Connection closed by server."),
        rx.TimeoutError("Timeout reading from h:1"),
        rx.BusyLoadingError("Redis is loading the dataset in memory"),
        rx.ReadOnlyError("You can't write against a read only replica."),
        rx.ResponseError("READONLY You can't write against a read only replica. script: f, on @user_function:1."),
        rx.ClusterDownError("CLUSTERDOWN The cluster is down"),
        rx.MasterDownError("Link with MASTER is down"),
        rx.ResponseError("NOREPLICAS Not enough good replicas to write."),
        rx.ResponseError("WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if"),
        rx.TryAgainError("Multiple keys request during rehashing of slot"),
        rx.ResponseError("UNBLOCKED force unblock from blocking operation"),
        rx.ResponseError("NOGROUP No such key 'pw:jobs' or consumer group 'pw'"),
        OSError(113, "No route to host"),
    ],
)
def test_what_passes_by_itself(error: Exception) -> None:
    assert type(classify(error)) is Unavailable


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
    assert not ours.retryable


def test_the_rest_is_a_bug() -> None:
    ours = classify(rx.ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value"))
    assert isinstance(ours, Refused)
    assert not isinstance(ours, Denied)

"""A schema mismatch says where, both versions, and what to do."""

import pytest

from pageworker_supervisor.queue.errors import SchemaMismatch


@pytest.mark.parametrize(
    ("found", "said", "mend"),
    [
        ("3", "has schema version 3, this worker supports version 2", "upgrade this worker"),
        ("1", "has schema version 1, this worker supports version 2", "let workers of the older release drain it"),
        ("none", "before schema versions, this worker supports version 2", "or set another redis.prefix"),
    ],
)
def test_the_message_names_the_shard_both_versions_and_the_way_out(found: str, said: str, mend: str) -> None:
    error = SchemaMismatch("pw:{0}", found, 2)
    assert str(error).startswith("the state of shard pw:{0} ")
    assert said in str(error)
    assert mend in str(error)
    assert error.retryable

"""Commands and functions have short names."""

import pytest

from pageworker_supervisor.queue.library import library
from pageworker_supervisor.redis_client import operation
from pageworker_supervisor.redis_client.operation import MOST_KNOWN, operation_of


def test_a_function_is_named_as_the_queue_names_it() -> None:
    for prefix in ("pw", "my_own:prefix"):
        name = library(prefix, cluster=False).function("check_schema")
        assert operation_of(("FCALL", name, 1, "pw:{0}")) == "check_schema"


@pytest.mark.parametrize("word", ["XREADGROUP", "xreadgroup"])
def test_a_command_is_named_in_lower_case(word: str) -> None:
    assert operation_of((word, "pw:jobs")) == "xreadgroup"


def test_its_memory_is_bounded() -> None:
    for number in range(2 * MOST_KNOWN):
        assert operation_of((f"Command{number}",)) == f"command{number}"
    assert len(operation._known) <= MOST_KNOWN

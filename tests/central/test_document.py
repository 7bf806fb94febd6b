"""Documents of the central configuration as they are stored."""

import json

import pytest

from pageworker_supervisor.central.document import MOST_PROBLEMS, reasons, texts_of_values, values_of
from pageworker_supervisor.config.errors import ConfigInvalid, ConfigProblem

VALUES = {"pool.runners": 6, "log.level": "debug", "egress.ports": [80], "tenants.acme.rate_per_second": None}


def test_values_are_read_as_they_were_written() -> None:
    assert values_of(json.dumps(texts_of_values(VALUES)).encode()) == VALUES


def test_every_value_that_is_not_json_is_named() -> None:
    with pytest.raises(ConfigInvalid) as invalid:
        values_of(json.dumps({"log.level": "debug", "pool.runners": "6x", "pool.pages": "3"}).encode())
    assert [problem.key for problem in invalid.value.problems] == ["log.level", "pool.runners"]
    assert 'a text needs quotes: "debug"' in invalid.value.problems[0].render()


@pytest.mark.parametrize("text", [b"", b"[]", b'{"a": 1}', b'{"a": "\xff"}', b"nonsense"])
def test_a_damaged_document_is_refused(text: bytes) -> None:
    with pytest.raises(ConfigInvalid):
        values_of(text)


def test_the_reasons_of_a_vote_are_bounded_lines() -> None:
    problems = tuple(ConfigProblem("file:3", f"pool.{n}", "0\n1", "1 to 64", "x" * 1000) for n in range(100))
    lines = reasons(ConfigInvalid(problems))
    assert len(lines) == MOST_PROBLEMS + 1
    assert lines[-1] == "and 60 more"
    assert all(len(line) <= 400 and "\n" not in line for line in lines)
    assert lines[0].startswith("pool.0, found 0")

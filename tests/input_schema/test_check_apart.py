"""One check in a process of its own."""

import sys

import msgspec
import pytest
from pw_schemas import DOUBLES

from pageworker_supervisor.input_schema import check_apart as module
from pageworker_supervisor.input_schema.check_apart import check_apart
from pageworker_supervisor.input_schema.check_limits import APART, CheckLimits
from pageworker_supervisor.input_schema.errors import CheckerEnded
from pageworker_supervisor.input_schema.messages import SchemaCheck


def test_the_answer_of_a_new_process() -> None:
    answer = check_apart(SchemaCheck("a", b"{}", b'{"required":["url"]}'), APART)
    assert [str(mistake) for mistake in answer.mistakes] == ["`payload.url`: is required"]


def test_a_check_that_needs_too_much_ends_the_process() -> None:
    schema, payload = map(msgspec.json.encode, DOUBLES)
    with pytest.raises(CheckerEnded, match="-27"):
        check_apart(SchemaCheck("a", payload, schema), CheckLimits(seconds=0.2))


def test_a_host_that_gives_it_no_processor_is_not_the_jobs_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    schema, payload = map(msgspec.json.encode, DOUBLES)
    monkeypatch.setattr(module, "ANSWER_SECONDS", 1.0)
    with pytest.raises(OSError, match="did not answer within 1 s"):
        check_apart(SchemaCheck("a", payload, schema), CheckLimits(seconds=60))


def test_a_process_that_does_not_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "command", lambda _: (sys.executable, "-c", "import sys; sys.exit('no such module')"))
    with pytest.raises(OSError, match="did not start: no such module"):
        check_apart(SchemaCheck("a", b"{}", b"{}"), APART)

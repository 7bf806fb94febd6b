"""What is at the other end of a stream."""

import io
import os
from pathlib import Path

import pytest

from pageworker_supervisor.config.terminal import is_journal, may_have_colours


@pytest.mark.parametrize(
    ("environ", "allowed"),
    [
        ({}, True),
        ({"NO_COLOR": ""}, True),
        ({"NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
        ({"TERM": "xterm"}, True),
    ],
)
def test_a_terminal_has_colours_unless_it_says_no(environ: dict[str, str], allowed: bool) -> None:
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "w") as terminal:
        assert may_have_colours(terminal, environ) is allowed
    os.close(ours)


def test_a_file_or_a_pipe_has_none() -> None:
    assert not may_have_colours(io.StringIO(), {})


def test_a_stream_goes_to_the_journal_if_the_journal_says_so(tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    status = os.fstat(theirs)
    named = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
    with os.fdopen(theirs, "w") as pipe, (tmp_path / "worker.log").open("w") as file:
        assert is_journal(pipe, named)
        # A daemon whose unit sends its output to a file has the variable as well.
        assert not is_journal(file, named)
        assert not is_journal(pipe, {})
        assert not is_journal(io.StringIO(), named)
    os.close(ours)

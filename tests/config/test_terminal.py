"""Colours on a terminal only."""

import io
import os

import pytest

from pageworker_supervisor.config.terminal import may_have_colours


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

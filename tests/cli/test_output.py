"""Commands print foreign text without control characters."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_supervisor.cli.output import complain, put, show, show_json, table

NASTY = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202eevil\u2066\ud800 [red]x[/red] [/]"


@given(st.lists(st.tuples(st.text(), st.text()), min_size=1))
def test_a_row_is_a_line_whatever_is_in_it(rows: list[tuple[str, str]]) -> None:
    assert len(table(("A", "B"), rows).split("\n")) == len(rows) + 1


@pytest.mark.parametrize("as_json", [False, True])
def test_no_command_sends_control_characters(as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    value = NASTY.encode(errors="replace").decode()
    show({"job": value}, table(("JOB",), [(NASTY,)]), as_json)
    show_json(json.dumps({"job": value}, ensure_ascii=False).encode(), as_json)
    put(NASTY)
    complain(NASTY, NASTY)
    printed = capsys.readouterr()
    for text in (printed.out, printed.err):
        assert not set(text) & set("\x1b\x07\x9b\u202e\u2066\ud800")
        assert "[red]x[/red] [/]" in text, "no markup either"
    if as_json:
        assert json.loads(printed.out.splitlines()[0]) == {"job": value}
        assert json.loads(printed.out.splitlines()[1]) == {"job": value}


def test_json_is_one_line_for_programs_and_many_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    document = b'{ "a": [1,\n 2], "big": 123456789012345678901234567890, "f": 1.50 }'
    show_json(document, True)
    assert capsys.readouterr().out == '{"a":[1,2],"big":123456789012345678901234567890,"f":1.50}\n'
    show_json(document, False)
    assert '\n  "a": [\n' in capsys.readouterr().out

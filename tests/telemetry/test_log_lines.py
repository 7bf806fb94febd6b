"""One record as one line, without a logger."""

import datetime as dt
import json
from collections import namedtuple
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from pw_doubles import any_typed

from pageworker_supervisor.telemetry.log_lines import HIDDEN, MAX_CHARACTERS, json_line, shown, text_line

if TYPE_CHECKING:
    from loguru import Record

TIME = dt.datetime(2030, 1, 31, 12, 0, 0, 123_456, tzinfo=dt.timezone(dt.timedelta(hours=2)))
Raised = namedtuple("Raised", "type value traceback")


def record(message: str = "job ended", error: Exception | None = None, **extra: Any) -> "Record":
    exception = None if error is None else Raised(type(error), error, None)
    level = SimpleNamespace(name="INFO")
    # loguru declares types for each of these. The lines read what is given here.
    return cast("Record", {"time": TIME, "level": level, "message": message, "extra": extra, "exception": exception})


def test_a_json_line_has_time_in_utc_level_message_and_fields() -> None:
    assert json.loads(json_line(record(job="acme/1", attempt=2, trace_id=None))) == {
        "ts": "2030-01-31T10:00:00.123Z",
        "level": "info",
        "message": "job ended",
        "job": "acme/1",
        "attempt": 2,
    }


def test_a_text_line_has_two_spaces_before_its_fields() -> None:
    assert text_line(record(job="acme/1", note="a b")) == '12:00:00.123 INFO    job ended  job=acme/1 note="a b"\n'
    assert text_line(record("a   b\nc")) == "12:00:00.123 INFO    a b\\nc\n"


def test_a_name_of_a_field_cannot_contain_separators() -> None:
    assert text_line(record(**{"a b=c": any_typed(1)})).endswith("  a_b_c=1\n")


def test_a_traceback_is_indented_in_text_and_a_field_in_json() -> None:
    error = ValueError("first\nsecond")
    assert text_line(record(error=error)).splitlines()[1:] == ["    | ValueError: first", "    | second"]
    assert json.loads(json_line(record(error=error)))["exception"] == "ValueError: first\nsecond\n"


@pytest.mark.parametrize("word", sorted(HIDDEN))
def test_fields_with_secrets_are_hidden(word: str) -> None:
    for name in (word, word.upper(), f"callback_{word}"):
        assert shown(name, "geheim") == "(hidden)"
    assert shown(f"{word}_bytes", 5) == 5


def test_bytes_are_counted_and_long_text_is_cut() -> None:
    assert shown("blob", b"12345") == "(5 bytes)"
    assert shown("html", "x" * (MAX_CHARACTERS + 5)) == "x" * MAX_CHARACTERS + "…"
    long = json.loads(json_line(record(error=ValueError("y" * MAX_CHARACTERS + "end"))))["exception"]
    assert long.startswith("…")
    assert long.endswith("end\n")


@pytest.mark.parametrize("line", [json_line, text_line])
def test_passwords_in_urls_are_hidden_wherever_they_are(line: Any) -> None:
    text = line(record("lost redis://me:geheim@host:1", url="https://u:geheim@h/x"))
    assert "geheim" not in text
    assert "redis://me:(hidden)@host:1" in text


def test_only_the_level_has_a_colour_and_foreign_text_adds_none() -> None:
    plain, line = text_line(record("\x1b[31mred")), text_line(record("\x1b[31mred"), coloured=True)
    assert line == plain.replace("INFO   ", "\x1b[32mINFO   \x1b[0m")
    assert plain.count("\x1b") == 0

"""A recorded load: what is read, and what is refused by line."""

import contextlib
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_supervisor.scaling.load_file import MAX_LINE_BYTES, LoadInvalid, load_lines, parse_load
from pageworker_supervisor.scaling.simulation import Arrivals
from pageworker_supervisor.scaling.synthetic_day import synthetic_day

GOOD = b'{"at": 0, "service_seconds": 2}'


def test_what_is_written_is_read() -> None:
    day = list(islice(synthetic_day(100, 20), 1000))
    assert parse_load(line.encode() for line in load_lines(day)) == day


def test_one_job_is_the_default_and_empty_lines_are_skipped() -> None:
    assert parse_load([GOOD, b"\n", b'{"at": 3, "jobs": 4, "service_seconds": 0.5}\n']) == [
        Arrivals(0, 1, 2),
        Arrivals(3, 4, 0.5),
    ]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"{", "line 2: "),
        (b"[]", "line 2: Expected `object`"),
        (b'{"at": -1, "service_seconds": 2}', "line 2: Expected `float` >= 0"),
        (b'{"at": 1, "service_seconds": 0}', "line 2: Expected `float` > 0"),
        (b'{"at": 1}', "service_seconds"),
        (b'{"at": 1, "service_seconds": 2, "job": 1}', "unknown field `job`"),
        (b'{"at": 1, "service_seconds": 2, "\\u001b[2J": 1}', "x1b"),
        (b'{"at": 1, "service_seconds": 2, "\xff": 1}', "line 2: "),
        (b'{"at": 1, "service_seconds": 2}' + b" " * MAX_LINE_BYTES, "more than 4096 bytes"),
    ],
)
def test_a_wrong_line_is_named(line: bytes, says: str) -> None:
    with pytest.raises(LoadInvalid) as refused:
        parse_load([GOOD, line])
    assert says in str(refused.value)
    assert "\x1b" not in str(refused.value)


def test_times_must_ascend_and_something_must_come() -> None:
    with pytest.raises(LoadInvalid, match="line 2: `at` goes back from 5 to 4"):
        parse_load([b'{"at": 5, "service_seconds": 2}', b'{"at": 4, "service_seconds": 2}'])
    with pytest.raises(LoadInvalid, match="no job"):
        parse_load([b"\n"])


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_any_bytes_are_read_or_refused(lines: list[bytes]) -> None:
    with contextlib.suppress(LoadInvalid):
        assert parse_load(lines)

"""Which texts are too deep, and that counting takes linear time."""

import time

import pytest

from pageworker_supervisor.contract.json_depth import MAX_TEXT_DEPTH, too_deep

MOST = MAX_TEXT_DEPTH


@pytest.mark.parametrize(
    ("text", "deep"),
    [
        (b"[" * MOST + b"]" * MOST, False),
        (b"[" * (MOST + 1), True),
        (b'{"a":' * (MOST + 1), True),
        (b"[" + b"[]," * 1000 + b"{}]", False),
        (b'["' + b"[" * 1000 + b'"]', False),
        (b'["\\"' + b"[" * 1000 + b'"]', False),
        (b'["\\\\",' + b"[" * 1000, True),
        (b'["' + b"[\n" * 1000, False),
        (b'["\xff",' + b"[" * 1000, True),
    ],
)
def test_only_brackets_outside_of_strings_count(text: bytes, deep: bool) -> None:
    assert too_deep(text) is deep


@pytest.mark.parametrize("unit", [b'\\"', b'"[', b"[]", b'"\\', b'"'])
def test_every_text_takes_linear_time(unit: bytes) -> None:
    text = b"[" + b"[]" * 1000 + b'"' + unit * 1_000_000
    started = time.process_time()
    too_deep(text)
    assert time.process_time() - started < 2

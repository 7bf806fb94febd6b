"""A step of a runner is bounded in every field."""

from typing import Any

import msgspec
import pytest

from pageworker_sandbox.wire.step_report import MAX_STEP_FIELDS, MAX_STEP_TEXT, MAX_STEP_VALUE, MAX_STEPS, StepReport

STEP: dict[str, Any] = {"attempt_id": "a", "number": 1, "text": "log in", "at_seconds": 0.5}


def test_a_step_has_few_fields_that_must_be_set() -> None:
    assert msgspec.convert(STEP, StepReport) == StepReport(attempt_id="a", number=1, text="log in", at_seconds=0.5)


@pytest.mark.parametrize(
    "change",
    [
        {"number": 0},
        {"number": MAX_STEPS + 1},
        {"text": ""},
        {"text": "x" * (MAX_STEP_TEXT + 1)},
        {"at_seconds": -1},
        {"seconds": 1e10},
        {"fields": {str(number): "" for number in range(MAX_STEP_FIELDS + 1)}},
        {"fields": {"x": "y" * (MAX_STEP_VALUE + 1)}},
        {"error": "x" * 65},
        {"other": 1},
    ],
)
def test_a_larger_one_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**STEP, **change}, StepReport)

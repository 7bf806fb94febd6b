"""A span of a runner is bounded in every field."""

from typing import Any

import msgspec
import pytest

from pageworker_sandbox.wire.runner_span import MAX_SPAN_ATTRIBUTES, MAX_SPAN_NAME, MAX_SPANS, RunnerSpan

SPAN: dict[str, Any] = {"name": "goto", "began_seconds": 0.5, "seconds": 1.0}


def test_a_span_has_few_fields_that_must_be_set() -> None:
    assert msgspec.convert(SPAN, RunnerSpan) == RunnerSpan(name="goto", began_seconds=0.5, seconds=1.0)


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": "x" * (MAX_SPAN_NAME + 1)},
        {"began_seconds": -1},
        {"seconds": 1e10},
        {"parent": MAX_SPANS},
        {"attributes": {str(number): "" for number in range(MAX_SPAN_ATTRIBUTES + 1)}},
        {"error": "x" * 65},
        {"other": 1},
    ],
)
def test_a_larger_one_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**SPAN, **change}, RunnerSpan)

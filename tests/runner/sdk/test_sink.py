"""The runner's sink and a test's own one both have the shape that helpers write to."""

import inspect
from typing import Any, get_args, get_type_hints

import pytest

from pageworker.sink import Level, Sink
from pageworker_runner.reporting.artifact_sink import AttemptSink
from pageworker_sandbox.wire import messages as m


@pytest.mark.parametrize("method", ["artifact", "log"])
def test_the_runners_sink_has_the_protocols_signatures(method: str, sink: Any) -> None:
    expected = inspect.signature(getattr(Sink, method))
    for implementation in (AttemptSink, type(sink)):
        actual = getattr(implementation, method)
        assert inspect.signature(actual) == expected
        assert inspect.iscoroutinefunction(actual) == inspect.iscoroutinefunction(getattr(Sink, method))


def test_every_level_can_cross_the_wire() -> None:
    assert set(get_args(Level)) == set(get_args(get_type_hints(m.LogLine)["level"]))

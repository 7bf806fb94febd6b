"""The section `[tracing]`."""

import msgspec
import pytest

from pageworker_supervisor.config.tracing_settings import TracingSettings


def test_there_are_no_traces_by_default_and_with_an_endpoint_all() -> None:
    assert (TracingSettings().endpoint, TracingSettings().sample_ratio) == (None, 1.0)


@pytest.mark.parametrize(
    "wrong",
    [{"sample_ratio": 1.1}, {"sample_ratio": -0.1}, {"timeout_seconds": 0}, {"header_secrets": {"X": "No Name"}}],
)
def test_a_wrong_value_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, TracingSettings)

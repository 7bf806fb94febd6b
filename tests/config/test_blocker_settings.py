"""The threshold of blockers is a number in a sensible range."""

import msgspec
import pytest

from pageworker_supervisor.config.blocker_settings import BlockerSettings


def test_the_default_is_the_weight_of_one_certain_sign() -> None:
    assert BlockerSettings().threshold == 1.0


@pytest.mark.parametrize("threshold", [0.4, 0, -1, 5.1, "high"])
def test_a_threshold_that_flags_all_or_nothing_is_a_mistake(threshold: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"threshold": threshold}, BlockerSettings)

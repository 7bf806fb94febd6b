"""The section `[scaling]`: its bounds."""

import msgspec
import pytest

from pageworker_supervisor.config.scaling_settings import ScalingSettings
from pageworker_supervisor.scaling.decider import KEPT_SECONDS


def test_the_wait_before_the_fleet_shrinks_is_shorter_than_samples_are_kept() -> None:
    assert msgspec.convert({"scale_down_seconds": 3600}, ScalingSettings).scale_down_seconds < KEPT_SECONDS
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"scale_down_seconds": 3601}, ScalingSettings)


@pytest.mark.parametrize(
    "wrong",
    [{"max_workers": 0}, {"min_workers": -1}, {"target_age_seconds": 0}, {"utilisation": 1.1}, {"pages": 3}],
)
def test_values_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, ScalingSettings)

"""The sections `[domains]` and `[limits]`: no limit unless one is named, and no limit of nothing."""

import pytest
from msgspec import ValidationError, convert

from pageworker_supervisor.config.limit_settings import DomainSettings, LimitSettings, SharedLimits


def test_nothing_is_limited_unless_it_is_named() -> None:
    domain, limits = DomainSettings(), LimitSettings()
    assert (domain.rate_per_second, domain.requests_per_second, domain.request_burst) == (None, None, 1)
    assert domain.request_concurrency is None
    assert (limits.fleet, limits.modules) == (SharedLimits(), {})
    assert (limits.fleet.concurrency, limits.fleet.rate_per_second) == (None, None)


@pytest.mark.parametrize(
    "name",
    ["concurrency", "rate_per_second", "burst", "requests_per_second", "request_burst", "request_concurrency"],
)
def test_a_limit_of_nothing_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match=name):
        convert({name: 0}, DomainSettings)


@pytest.mark.parametrize(
    ("name", "rate"),
    [
        ("rate_per_second", 1e-300),
        ("rate_per_second", 1e-14),
        ("requests_per_second", 1e-300),
        ("requests_per_second", 1e-14),
        ("requests_per_second", 1e300),
    ],
)
def test_a_rate_whose_intervals_cannot_be_counted_is_refused(name: str, rate: float) -> None:
    with pytest.raises(ValidationError, match=name):
        convert({name: rate}, DomainSettings)


@pytest.mark.parametrize("name", ["concurrency", "rate_per_second", "burst"])
def test_a_limit_of_a_module_is_one_of_the_fleets_kind(name: str) -> None:
    with pytest.raises(ValidationError, match=r"modules|\.\.\."):
        convert({"modules": {"shop.*": {name: 0}}}, LimitSettings)
    assert convert({"modules": {"shop.*": {name: 1}}, "fleet": {name: 1}}, LimitSettings).modules.keys() == {"shop.*"}

"""The settings of self-checks, and what is known of each check beside them."""

import msgspec
import pytest

from pageworker_supervisor.config.check_settings import CheckSettings
from pageworker_supervisor.config.self_checks import PROTECTING, WATCHED


def test_what_is_known_of_a_check_is_about_one_that_has_a_setting() -> None:
    assert set(PROTECTING) | WATCHED <= set(CheckSettings.__struct_fields__)


def test_no_check_is_off_by_default() -> None:
    assert "off" not in msgspec.to_builtins(CheckSettings()).values()


@pytest.mark.parametrize("name", CheckSettings.__struct_fields__)
def test_a_mode_is_one_of_three(name: str) -> None:
    for mode in ("refuse", "warn", "off"):
        assert getattr(msgspec.convert({name: mode}, CheckSettings), name) == mode
    with pytest.raises(msgspec.ValidationError, match=name):
        msgspec.convert({name: "maybe"}, CheckSettings)

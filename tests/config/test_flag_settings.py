"""The section `[flags]`."""

import msgspec
import pytest

from pageworker_supervisor.config.flag_settings import FlagSettings


def test_a_flag_is_off_and_then_for_all() -> None:
    flag = FlagSettings()
    assert (flag.on, flag.tenants, flag.percent, flag.per) == (False, ("*",), 100.0, "job")


@pytest.mark.parametrize("wrong", [{"percent": 101}, {"percent": -1}, {"per": "module"}, {"of": True}])
def test_a_wrong_value_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, FlagSettings)

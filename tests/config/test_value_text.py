"""What an operator types becomes the value of a setting."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_supervisor.config.setting_names import path_of, type_at
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.config.value_text import structured, value_of


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("pool.runners", "6", 6),
        ("tenants.acme.weight", "2.5", 2.5),
        ("artifacts.on_failure", "false", False),
        ("log.level", "debug", "debug"),
        ("log.level", '"debug"', "debug"),
        ("modules.channel", "5", "5"),
        ("egress.ports", "[80, 443]", [80, 443]),
        ("tenants.acme.egress", "['a.test']", ["a.test"]),
        ("tenants.acme.rate_per_second", "null", None),
        ("pool.runners", "many", "many"),
    ],
)
def test_the_type_of_the_setting_decides(name: str, text: str, value: object) -> None:
    assert value_of(type_at(Settings, path_of(name))[0], text) == value


@given(st.text(), st.sampled_from([int, str, float | None, bool, tuple[str, ...]]))
def test_any_text_has_a_value(text: str, type_: Any) -> None:
    value_of(type_, text)
    assert structured(text)[1] in (True, False)


@pytest.mark.parametrize("text", ["inf", "-inf", "nan", "1e400"])
def test_an_infinite_number_stays_a_text(text: str) -> None:
    assert value_of(float, text) == text


def test_a_number_of_too_many_digits_is_no_value() -> None:
    assert structured("9" * 4400) == (None, False)
    assert value_of(int, "9" * 4400) == "9" * 4400

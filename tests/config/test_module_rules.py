"""Rules of the settings about modules."""

import pytest

from pageworker_supervisor.config.module_rules import MOST_PINS, pin_findings

AT = ("tenants", "acme")


@pytest.mark.parametrize(
    ("pins", "wrong"),
    [
        ({}, []),
        ({"shop.product": "1.4.2", "a": "2.0.0-rc.1"}, []),
        ({"shop.*": "1.4.2"}, ["shop.*"]),
        ({"Shop": "1.4.2"}, ["Shop"]),
        ({"shop.product": ">=1"}, ["shop.product"]),
        ({"shop.product": "1.4"}, ["shop.product"]),
        ({"shop.product": ""}, ["shop.product"]),
        ({"a" * 101: "1" * 101 + ".0.0"}, ["a" * 101, "a" * 101]),
    ],
)
def test_a_pin_names_one_module_and_one_version(pins: dict[str, str], wrong: list[str]) -> None:
    assert [path[-1] for path, *_ in pin_findings(AT, pins)] == wrong


def test_pins_are_bounded() -> None:
    (finding,) = pin_findings(AT, {f"m{number}": "1.0.0" for number in range(MOST_PINS + 1)})
    assert finding[0] == (*AT, "pins")

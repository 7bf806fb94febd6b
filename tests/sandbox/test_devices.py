"""The devices of module.toml are those of the installed Playwright, and each is a valid set of options."""

import json

import pytest
from repository.devices import FILE, as_text, installed

from pageworker_sandbox.devices import options_of_device, similar_devices
from pageworker_sandbox.page_rules import PageOptionsInvalid, parse_options
from pageworker_sandbox.wire.page_options import Viewport

DEVICES = json.loads(FILE.read_text())


async def test_the_file_has_the_devices_of_the_installed_playwright() -> None:
    """If not: `PYTHONPATH=tests .venv/bin/python -m repository.devices`."""
    assert FILE.read_text() == as_text(await installed())


def test_each_device_is_a_valid_set_of_options() -> None:
    assert len(DEVICES) > 100
    assert [name for name in DEVICES if not parse_options({"device": name}).given()] == []


def test_a_device_stands_for_its_options_and_other_keys_go_over_it() -> None:
    options = parse_options({"viewport": {"width": 500, "height": 500}, "device": "iPhone 15"})
    assert options.is_mobile
    assert options.device_scale_factor == 3
    assert "iPhone" in (options.user_agent or "")
    assert options.viewport == Viewport(width=500, height=500)
    spelt_out = {**(options_of_device("iPhone 15") or {}), "viewport": {"width": 500, "height": 500}}
    assert options == parse_options(spelt_out)


@pytest.mark.parametrize("name", ["iphone 15", "", 15, ["iPhone 15"], None])
def test_an_unknown_device_is_a_mistake(name: object) -> None:
    with pytest.raises(PageOptionsInvalid) as caught:
        parse_options({"device": name, "locale": "x"})
    assert [mistake.key for mistake in caught.value.mistakes] == ["device", "locale"]


def test_a_similar_name_is_suggested() -> None:
    assert similar_devices("iphone 15")[0] == "iPhone 15"
    with pytest.raises(PageOptionsInvalid) as caught:
        parse_options({"device": "iPhone15"})
    assert 'did you mean "iPhone 15"' in caught.value.mistakes[0].hint

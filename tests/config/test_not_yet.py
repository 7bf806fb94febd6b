"""Planned settings, which no section has yet."""

import pytest

from pageworker_supervisor.config.check import field_types
from pageworker_supervisor.config.not_yet import SETTINGS, instead_of
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.config.toml_lines import Path
from pageworker_supervisor.contract.type_names import is_struct


@pytest.mark.parametrize("path", SETTINGS, ids=".".join)
def test_a_planned_setting_does_not_exist_and_has_an_alternative(path: Path) -> None:
    section = field_types(Settings).get(path[0])
    assert section is None or (is_struct(section) and path[-1] not in field_types(section))
    assert instead_of(path) == SETTINGS[path]
    assert instead_of((*path, "deeper")) == SETTINGS[path]


@pytest.mark.parametrize("path", [(), ("worker",), ("worker", "id"), ("tags",), ("domains", "ingress")], ids=str)
def test_other_settings_are_not_planned_ones(path: Path) -> None:
    assert instead_of(path) is None

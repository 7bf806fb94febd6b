"""Paths in settings become absolute, and nothing else changes."""

from pathlib import Path
from typing import Any

import pytest

from pageworker_supervisor.config.relative_paths import absolute_paths
from pageworker_supervisor.config.settings import Settings

KEY = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"worker": {"data_dir": "data"}}, {"worker": {"data_dir": "/etc/pw/data"}}),
        ({"worker": {"data_dir": "/data"}}, {"worker": {"data_dir": "/data"}}),
        ({"worker": {"data_dir": None, "id": "data"}}, {"worker": {"data_dir": None, "id": "data"}}),
        ({"modules": {"registry": "../reg"}}, {"modules": {"registry": "/etc/pw/../reg"}}),
        ({"modules": {"registry": "https://h/reg"}}, {"modules": {"registry": "https://h/reg"}}),
        ({"modules": {"trusted_keys": ["a.pub", KEY]}}, {"modules": {"trusted_keys": ["/etc/pw/a.pub", KEY]}}),
        (
            {"tenants": {"acme": {"callback_secret_file": "s", "egress": ["s"]}}},
            {"tenants": {"acme": {"callback_secret_file": "/etc/pw/s", "egress": ["s"]}}},
        ),
        ({"redis": {"url": "redis", "ca_file": "ca.pem"}}, {"redis": {"url": "redis", "ca_file": "/etc/pw/ca.pem"}}),
        (
            {"pool": {"pages": 4}, "egress": {"hosts": {"a": "b"}}},
            {"pool": {"pages": 4}, "egress": {"hosts": {"a": "b"}}},
        ),
    ],
)
def test_a_relative_path_counts_from_the_folder(given: dict[str, Any], found: dict[str, Any]) -> None:
    assert absolute_paths(Settings, given, Path("/etc/pw")) == found


def test_the_home_folder_is_found() -> None:
    given = {"modules": {"trusted_keys": ("~/a.pub",)}}
    assert absolute_paths(Settings, given, Path("/etc")) == {"modules": {"trusted_keys": (str(Path.home() / "a.pub"),)}}

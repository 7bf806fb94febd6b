"""The devices that `[page] device` can name: Playwright's list, as options of a browser context.

`devices.json` is a copy, so that a manifest means the same on each worker. A test compares it with the installed
Playwright; `PYTHONPATH=tests python -m repository.devices` writes it.
"""

from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

FILE = "devices.json"


def options_of_device(name: str) -> dict[str, Any] | None:
    """Plain options. None: there is no such device."""
    options = _devices().get(name)
    return None if options is None else dict(options)


def similar_devices(name: str) -> list[str]:
    """Names that may have been meant, the most similar first."""
    return get_close_matches(name, _devices(), n=2, cutoff=0.6)


@cache
def _devices() -> dict[str, dict[str, Any]]:
    return msgspec.json.decode(files(__package__).joinpath(FILE).read_bytes(), type=dict[str, dict[str, Any]])

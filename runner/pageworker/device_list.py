"""Playwright's list of devices, as `playwright.devices` has it in a script of one's own."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any


class Devices(Mapping[str, dict[str, Any]]):
    """`devices["iPhone 15"]["viewport"]`: what Playwright's `new_context` takes. Each access gives a copy."""

    def __init__(self) -> None:
        self._devices: Mapping[str, dict[str, Any]] = {}

    def fill(self, devices: Mapping[str, dict[str, Any]]) -> None:
        """The runner has started Playwright, which has the list."""
        self._devices = devices

    def __getitem__(self, name: str) -> dict[str, Any]:
        """Raises KeyError."""
        if not self._devices:
            raise KeyError(f"{name}: the list of devices is filled inside a runner. In a test, use playwright.devices")
        return deepcopy(self._devices[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._devices)

    def __len__(self) -> int:
        return len(self._devices)


devices = Devices()

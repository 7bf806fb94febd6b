"""`PYTHONPATH=tests python -m repository.devices`: writes the list of devices that the installed Playwright has."""

import asyncio
from typing import Any

import msgspec
from playwright.async_api import async_playwright

from repository.sources import ROOT

FILE = ROOT / "sandbox/pageworker_sandbox/devices.json"
OPTIONS = ("user_agent", "viewport", "device_scale_factor", "is_mobile", "has_touch")
"""What a device is in [page] of module.toml."""


def as_options(devices: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The options of each device, as they stand in the file."""
    return {name: {option: device[option] for option in OPTIONS} for name, device in sorted(devices.items())}


async def installed() -> dict[str, Any]:
    """The devices of the installed Playwright, by name."""
    async with async_playwright() as playwright:
        return dict(playwright.devices)


def as_text(devices: dict[str, Any]) -> str:
    """The file: one line per device."""
    lines = [
        f"{msgspec.json.encode(name).decode()}: {msgspec.json.encode(options).decode()}"
        for name, options in as_options(devices).items()
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    FILE.write_text(as_text(asyncio.run(installed())))

"""The two builds of Chromium that can run a job, and which of them a module asks for."""

from pathlib import Path
from typing import Literal

Flavor = Literal["full", "shell"]
"""`full`: the browser that people use, headless. `shell`: the headless shell, a smaller build without a browser's own
window, and Playwright's default."""
FlavorWish = Literal["auto", "full", "shell"]
"""`auto`: whichever its worker prefers."""
WISHES: tuple[FlavorWish, ...] = ("auto", "full", "shell")


def flavor_of(binary: Path) -> Flavor:
    """By the file's name: every vendor of the headless shell has `headless` in it."""
    return "shell" if "headless" in binary.name else "full"

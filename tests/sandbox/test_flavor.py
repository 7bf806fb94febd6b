"""The flavor of a browser, by its file."""

from pathlib import Path
from typing import get_args

import pytest

from pageworker_sandbox.flavor import WISHES, Flavor, FlavorWish, flavor_of


@pytest.mark.parametrize(
    ("name", "flavor"),
    [
        ("chromium", "full"),
        ("chrome", "full"),
        ("msedge", "full"),
        ("chromium-headless-shell", "shell"),
        ("headless_shell", "shell"),
        ("chrome-headless-shell", "shell"),
    ],
)
def test_every_vendors_headless_shell_is_told_by_its_name(name: str, flavor: Flavor) -> None:
    assert flavor_of(Path("/opt/x") / name) == flavor


def test_a_wish_is_a_flavor_or_auto() -> None:
    assert WISHES == get_args(FlavorWish) == ("auto", *get_args(Flavor))

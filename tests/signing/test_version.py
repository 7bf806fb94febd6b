"""Order of versions, and ranges of them."""

import random

import pytest

from pageworker_sandbox.signing.version import fits, precedence

# The order of semver.org, section 11, and what its letter adds.
ASCENDING = """
0.9.9 1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11
1.0.0-rc.1 1.0.0 1.0.1 1.2.0 1.10.0 2.0.0
"""


def test_order() -> None:
    ascending = ASCENDING.split()
    random.Random(1).shuffle(shuffled := [*ascending])
    assert sorted(shuffled, key=precedence) == ascending
    assert precedence("1.0.0+a") == precedence("1.0.0+b")


@pytest.mark.parametrize(
    ("wanted", "version", "holds"),
    [
        (">=1,<2", "1.0.0", True),
        (">=1,<2", "2.0.0", False),
        (">= 1.1", "1.0.0", False),
        ("==1", "1.9.3", True),
        ("!=1.9", "1.9.3", False),
        (">1.0.0", "1.0.1", True),
        ("<=1.0.0", "1.0.1", False),
    ],
)
def test_ranges(wanted: str, version: str, holds: bool) -> None:
    assert fits(wanted, version) is holds


@pytest.mark.parametrize("wanted", ["", "1", ">=1,", "~1", ">=a", ">=1.2.3.4"])
def test_invalid_ranges(wanted: str) -> None:
    with pytest.raises(ValueError, match="clause"):
        fits(wanted)

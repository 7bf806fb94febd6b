"""The name that was probably meant by another one. Pure."""

from collections.abc import Iterable
from difflib import get_close_matches

CUTOFF = 0.6
FEWEST = 3
"""Characters that a beginning needs to say something."""


def near_name(name: str, known: Iterable[str]) -> str | None:
    """One of the known names: one that begins with this name, else the one with most letters in common.

    `prio` is rather `priority` than `proxy`, although it has more letters in common with that.
    """
    names = list(known)
    if len(name) >= FEWEST and (begun := [each for each in names if each.startswith(name)]):
        return min(begun, key=len)
    near = get_close_matches(name, names, n=3, cutoff=CUTOFF)
    return max(near, key=lambda each: each[:FEWEST] == name[:FEWEST], default=None)

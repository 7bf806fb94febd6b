"""Names of the SDK that a later major version will not have. Tools and workers announce them."""

import re
from collections.abc import Sequence
from typing import NamedTuple


class Deprecation(NamedTuple):
    """A name that modules should replace."""

    name: str
    """As a module's source has it: `Failed`, or `helpers.wait_until`."""
    since: str
    """Version of the SDK that announced it first."""
    instead: str
    """What to use in its place, as the end of a sentence: `` use `helpers.which` ``."""


DEPRECATED: tuple[Deprecation, ...] = ()
"""None yet. An entry stays until the major version that does not have the name any more."""


def announced(source: str, deprecated: Sequence[Deprecation] = DEPRECATED) -> list[tuple[int, Deprecation]]:
    """Each line of a module's source that names something deprecated, counted from 1, in their order.

    It reads text, so a comment counts as well. That is enough for a warning, and costs nothing while there is no entry.
    """
    found = []
    for entry in deprecated:
        named = re.compile(rf"(?<!\w){re.escape(entry.name)}(?!\w)")
        found += [(number, entry) for number, line in enumerate(source.splitlines(), 1) if named.search(line)]
    return sorted(found)

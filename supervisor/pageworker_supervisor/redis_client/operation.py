"""The short name of a Redis command, for metrics. Pure."""

import re
from collections.abc import Sequence

_FUNCTION = re.compile(r"_[0-9a-f]{8}_(\w+)$")
"""A function of the queue: the library's name ends with a digest of eight digits (queue/library.py)."""
_FUNCTION_CALLS = frozenset({"FCALL", "FCALL_RO"})
_known: dict[object, str] = {}
MOST_KNOWN = 200


def operation_of(words: Sequence[object]) -> str:
    """`claim` for a call of the queue's function `claim`, else the command in lower case: `xreadgroup`."""
    named = words[1] if words[0] in _FUNCTION_CALLS else words[0]
    known = _known.get(named)
    if known is None:
        text = str(named)
        found = _FUNCTION.search(text)
        known = found[1] if found else text.lower()
        if len(_known) < MOST_KNOWN:
            _known[named] = known
    return known

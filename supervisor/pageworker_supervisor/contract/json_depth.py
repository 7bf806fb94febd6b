"""Counts how deep a JSON text is nested, without decoding it. Pure.

A decoder raises RecursionError at a depth that depends on the call stack, and what handles the value later has a
deeper one. So a text is refused before it is decoded.
"""

import re

MAX_TEXT_DEPTH = 200
"""Levels of nesting in a whole text. Leaves most of Python's recursion limit (1000) to the call stack."""

# Possessive, and the final quote is optional: linear for every text, also for one whose string does not end.
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_NO_BRACKET = bytes(set(range(256)) - set(b"[]{}"))
_OPENING = frozenset(b"[{")


def too_deep(untrusted_text: bytes) -> bool:
    """Whether the text is nested more than MAX_TEXT_DEPTH levels deep. Brackets inside strings do not count."""
    if untrusted_text.count(b"[") + untrusted_text.count(b"{") <= MAX_TEXT_DEPTH:
        return False
    levels = 0
    for bracket in _STRING.sub(b"", untrusted_text).translate(None, _NO_BRACKET):
        levels += 1 if bracket in _OPENING else -1
        if levels > MAX_TEXT_DEPTH:
            return True
    return False

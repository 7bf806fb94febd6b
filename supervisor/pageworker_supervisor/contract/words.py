"""Patterns in words, for messages that a person reads."""

import re

_CLASS = re.compile(r"^\^?\[([^\]]+)\]\{(\d+),(\d+)\}\$?$")

_SPOKEN: dict[str, str] = {}


def speak(pattern: str, words: str) -> str:
    """Register how a pattern is said that has no simple form, and give it back."""
    _SPOKEN[pattern] = words
    return pattern


def in_words(pattern: str) -> str:
    """`^[a-z0-9-]{1,63}$` → `1-63 of a-z0-9-`; a registered pattern → its words; else the pattern itself."""
    if pattern in _SPOKEN:
        return _SPOKEN[pattern]
    if simple := _CLASS.match(pattern):
        characters, least, most = simple.groups()
        return f"{least}-{most} of {characters}"
    return f"text that matches {pattern}"

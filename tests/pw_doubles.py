"""Test doubles where a whole class is asked for."""

from typing import Any


def any_typed(double: object) -> Any:
    """`double`, accepted as any type: it has only those methods of a class that the tested code calls."""
    return double

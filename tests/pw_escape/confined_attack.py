"""Rows of the tables of attacks by module code: Python, ctypes and machine code in the confined interpreter."""

from typing import Any

from pw_escape.attack import Attack, AttackPlace
from pw_escape.mechanisms import confined_filter


def confined_attack(name: str, code: str, refused: str, by: str, **options: Any) -> Attack:
    """`refused` is the errno with which the mechanism `by` refuses it."""
    return Attack(name, code, refused, by, place=AttackPlace.CONFINED, **options)


def confined_call(name: str, code: str, call: str, *overlaps: str, **options: Any) -> Attack:
    """The filter alone refuses this system call."""
    return confined_attack(name, code, "EPERM", confined_filter(call), overlaps=overlaps, **options)

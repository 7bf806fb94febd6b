"""Versions and what modules ask of the SDK. Semantic Versioning 2.0.0."""

import re
from dataclasses import dataclass

SDK_VERSION = "1.0.0"
"""Version of what `from pageworker import …` offers."""

NUMBER = r"(?:0|[1-9][0-9]*)"
IDENTIFIERS = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
SEMVER = re.compile(rf"({NUMBER})\.({NUMBER})\.({NUMBER})(?:-({IDENTIFIERS}))?(?:\+{IDENTIFIERS})?")
_CLAUSE = re.compile(rf"(>=|<=|==|!=|>|<)\s*({NUMBER})(?:\.({NUMBER}))?(?:\.({NUMBER}))?")


@dataclass(frozen=True, order=True)
class Precedence:
    """Orders versions as SemVer's section 11 says. Build metadata does not count."""

    release: tuple[int, int, int]
    final: bool
    pre: tuple[tuple[bool, int, str], ...]


def precedence(version: str) -> Precedence:
    """Sort key of a version. Raises ValueError."""
    parts = SEMVER.fullmatch(version)
    if parts is None:
        raise ValueError(f"{version} is not a version such as 1.4.2")
    pre = parts[4].split(".") if parts[4] else []
    # A number is lower than a word, and both are compared as what they are.
    return Precedence(
        (int(parts[1]), int(parts[2]), int(parts[3])),
        not pre,
        tuple((not p.isdecimal(), int(p) if p.isdecimal() else 0, p) for p in pre),
    )


def fits(wanted: str, version: str = SDK_VERSION) -> bool:
    """Whether a version lies in a range such as `>=1,<2`. Raises ValueError where that is no range."""
    have = precedence(version).release
    return all(_holds(clause.strip(), have) for clause in wanted.split(","))


def _holds(clause: str, have: tuple[int, int, int]) -> bool:
    parts = _CLAUSE.fullmatch(clause)
    if parts is None:
        raise ValueError(f"`{clause}` is not a clause such as >=1 or <2.1")
    given = tuple(int(number) for number in parts.groups()[1:] if number is not None)
    # `==1` is every 1.x.y: only as many numbers are compared as were given.
    if parts[1] in ("==", "!="):
        return (have[: len(given)] == given) is (parts[1] == "==")
    want = (*given, 0, 0)[:3]
    return {">=": have >= want, ">": have > want, "<=": have <= want, "<": have < want}[parts[1]]

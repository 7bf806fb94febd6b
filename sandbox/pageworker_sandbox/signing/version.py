"""Versions, and the ranges of SDK versions that modules need. Semantic Versioning 2.0.0."""

import re
from dataclasses import dataclass

SDK_VERSION = "1.4.0"
"""`pageworker.__version__`, which this zone cannot import: the version of what `from pageworker import …` offers."""

NUMBER = r"(?:0|[1-9][0-9]*)"
IDENTIFIERS = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
SEMVER = re.compile(rf"({NUMBER})\.({NUMBER})\.({NUMBER})(?:-({IDENTIFIERS}))?(?:\+{IDENTIFIERS})?")
_CLAUSE = re.compile(rf"(>=|<=|==|!=|>|<)\s*({NUMBER})(?:\.({NUMBER}))?(?:\.({NUMBER}))?")


@dataclass(frozen=True, order=True)
class Precedence:
    """Sort key of versions by section 11 of Semantic Versioning. Build metadata does not count."""

    release: tuple[int, int, int]
    final: bool
    pre: tuple[tuple[bool, int, str], ...]


def precedence(version: str) -> Precedence:
    """Sort key of a version. Raises ValueError."""
    parts = SEMVER.fullmatch(version)
    if parts is None:
        raise ValueError(f"{version} is not a version such as 1.4.2")
    pre = parts[4].split(".") if parts[4] else []
    # Numbers are compared as numbers and sort before words.
    return Precedence(
        (int(parts[1]), int(parts[2]), int(parts[3])),
        not pre,
        tuple((not p.isdecimal(), int(p) if p.isdecimal() else 0, p) for p in pre),
    )


def fits(wanted: str, version: str = SDK_VERSION) -> bool:
    """True if a version is in a range such as `>=1,<2`. Raises ValueError for an invalid range."""
    have = precedence(version).release
    return all(_holds(clause.strip(), have) for clause in wanted.split(","))


def _holds(clause: str, have: tuple[int, int, int]) -> bool:
    parts = _CLAUSE.fullmatch(clause)
    if parts is None:
        raise ValueError(f"`{clause}` is not a clause such as >=1 or <2.1")
    given = tuple(int(number) for number in parts.groups()[1:] if number is not None)
    # `==1` means every 1.x.y: compare only as many numbers as the clause has.
    if parts[1] in ("==", "!="):
        return (have[: len(given)] == given) is (parts[1] == "==")
    want = (*given, 0, 0)[:3]
    return {">=": have >= want, ">": have > want, "<=": have <= want, "<": have < want}[parts[1]]

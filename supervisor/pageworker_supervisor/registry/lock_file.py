"""Parses requirements.lock, the dependencies of a module: text in, pinned versions with hashes or every mistake out.

The format is that of pip's requirements files, as `pip-compile --generate-hashes` and `uv pip compile
--generate-hashes` write them. Pure.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pageworker_sandbox.signing import Mistake

FILE = "requirements.lock"
_PINNED = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*==\s*(?P<version>[A-Za-z0-9.!+_-]+)")
_HASH = re.compile(r"--hash[= ]sha256:([0-9a-f]{64})")
_COMMENT = re.compile(r"(^|\s)#.*")
EXPECTED = "NAME==VERSION --hash=sha256:…"


@dataclass(frozen=True)
class LockedRequirement:
    """One distribution. `name` is normalised: lower case, with `-`."""

    name: str
    version: str
    sha256s: frozenset[str]
    """Hex. Any file with one of them may be used."""
    line: int


def parse_lock(untrusted_text: str) -> tuple[tuple[LockedRequirement, ...], tuple[Mistake, ...]]:
    """The requirements in the order of their names, and every mistake."""
    found: dict[str, LockedRequirement] = {}
    mistakes: list[Mistake] = []
    for number, text in _statements(untrusted_text):
        requirement = _requirement(number, text)
        if isinstance(requirement, Mistake):
            mistakes.append(requirement)
        elif requirement.name in found:
            expected = f"one version: line {found[requirement.name].line} has it too"
            mistakes.append(_mistake(number, requirement.name, "twice", expected))
        else:
            found[requirement.name] = requirement
    return tuple(found[name] for name in sorted(found)), tuple(mistakes)


def normalised(name: str) -> str:
    """The name of a distribution as PyPA's "Names and normalization" compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Logical lines with the number of their first line. A backslash at its end continues a line."""
    begun, parts = 0, list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        bare = _COMMENT.sub("", line).strip()
        begun = begun or number
        parts.append(bare.removesuffix("\\"))
        if bare.endswith("\\"):
            continue
        if statement := " ".join(parts).strip():
            yield begun, statement
        begun, parts = 0, []
    if statement := " ".join(parts).strip():
        yield begun, statement


def _requirement(number: int, text: str) -> LockedRequirement | Mistake:
    pinned = _PINNED.match(text)
    if pinned is None:
        hint = "write the file with `pip-compile --generate-hashes`" if not text.startswith("-") else ""
        return _mistake(number, "", text[:80], EXPECTED, hint)
    name, rest = normalised(pinned["name"]), text[pinned.end() :]
    hashes = frozenset(_HASH.findall(rest))
    left = _HASH.sub("", rest).strip()
    if left.startswith(";"):
        return _mistake(number, name, left[:80], "no marker", "markers are not supported yet: lock for one platform")
    if left:
        return _mistake(number, name, left[:80], EXPECTED)
    if not hashes:
        return _mistake(number, name, "no hash", EXPECTED, "write the file with `pip-compile --generate-hashes`")
    return LockedRequirement(name, pinned["version"], hashes, number)


def _mistake(line: int, key: str, found: str, expected: str, hint: str = "") -> Mistake:
    return Mistake(f"{FILE}:{line}", key, found, expected, hint)

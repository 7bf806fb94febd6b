"""Reads CHANGELOG.md, in the form of Keep a Changelog (keepachangelog.com/en/1.1.0). Pure."""

import re
from dataclasses import dataclass
from datetime import date

GROUPS = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
UNRELEASED = "Unreleased"
VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")
RELEASED = re.compile(rf"({VERSION.pattern}) - (\d{{4}}-\d{{2}}-\d{{2}})")


class ChangelogInvalid(ValueError):
    """A heading or a line of the changelog does not have the form, or a version is missing. The text names the line."""


@dataclass(frozen=True)
class ReleaseNotes:
    """One section of the changelog."""

    version: str
    """`Unreleased`, or a version."""
    released: date | None
    text: str
    """The groups, in Markdown."""


def read_changelog(text: str) -> list[ReleaseNotes]:
    """All sections, newest first: at most one `Unreleased` at the top, then versions that go down.

    Raises ChangelogInvalid.
    """
    sections: list[tuple[int, str, list[str]]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("## "):
            sections.append((number, line.removeprefix("## "), []))
        elif sections:
            _check_line(number, line, sections[-1][2])
            sections[-1][2].append(line)
    notes = [_notes(number, heading, lines) for number, heading, lines in sections]
    numbers = [_number(each.version) for each in notes if each.version != UNRELEASED]
    if UNRELEASED in [each.version for each in notes[1:]] or numbers != sorted(set(numbers), reverse=True):
        raise ChangelogInvalid("the sections are not in order: Unreleased first, then versions, the highest first")
    return notes


def notes_of(version: str, text: str) -> ReleaseNotes:
    """The section of a version. Raises ChangelogInvalid if there is none."""
    for notes in read_changelog(text):
        if notes.version == version:
            return notes
    raise ChangelogInvalid(
        f"CHANGELOG.md has no section of version {version}. Write `## {version} - YYYY-MM-DD` above its lines."
    )


def _check_line(number: int, line: str, before: list[str]) -> None:
    if line.startswith("### "):
        group = line.removeprefix("### ")
        if group not in GROUPS:
            raise ChangelogInvalid(f"line {number}: `{group}` is none of {', '.join(GROUPS)}")
        if line in before:
            raise ChangelogInvalid(f"line {number}: a second `{group}` in one section")
    elif line and not line.startswith(("- ", "  ")):
        raise ChangelogInvalid(f"line {number}: a line belongs to a change, which begins with `- `")
    elif line and not any(each.startswith("### ") for each in before):
        raise ChangelogInvalid(f"line {number}: a change belongs to a group, such as `### Added`")


def _notes(number: int, heading: str, lines: list[str]) -> ReleaseNotes:
    text = "\n".join(lines).strip() + "\n"
    if heading == UNRELEASED:
        return ReleaseNotes(UNRELEASED, None, text)
    found = RELEASED.fullmatch(heading)
    try:
        released = date.fromisoformat(found[5]) if found else None
    except ValueError:
        released = None
    if found is None or released is None:
        raise ChangelogInvalid(f"line {number}: write `## VERSION - YYYY-MM-DD` or `## {UNRELEASED}`")
    if text == "\n":
        raise ChangelogInvalid(f"line {number}: version {found[1]} has no changes")
    return ReleaseNotes(found[1], released, text)


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))

"""The changelog has the form of Keep a Changelog, and a release finds its section."""

from datetime import date
from pathlib import Path

import pytest
from deploy.release.changelog import ChangelogInvalid, notes_of, read_changelog

ROOT = Path(__file__).parents[2]
TEXT = """# Changelog

What users notice.

## Unreleased

### Fixed
- One thing,
  on two lines.

## 1.10.0 - 2026-03-04

### Added
- Another.

## 1.9.0 - 2026-01-02

### Added
- The first.
"""


def test_the_changelog_has_the_form() -> None:
    (first, *_) = read_changelog((ROOT / "CHANGELOG.md").read_text())
    assert first.version == "Unreleased"


def test_sections() -> None:
    notes = notes_of("1.10.0", TEXT)
    assert (notes.released, notes.text) == (date(2026, 3, 4), "### Added\n- Another.\n")
    assert [each.version for each in read_changelog(TEXT)] == ["Unreleased", "1.10.0", "1.9.0"]


def test_a_version_without_a_section_is_refused() -> None:
    with pytest.raises(ChangelogInvalid, match=r"no section of version 2.0.0. Write `## 2.0.0"):
        notes_of("2.0.0", TEXT)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("### Fixed", "### Repaired", "line 7: `Repaired` is none of Added"),
        ("1.10.0 - 2026-03-04", "1.10.0", "line 11: write"),
        ("1.10.0 - 2026-03-04", "1.10.0 - 2026-13-04", "line 11: write"),
        ("1.10.0 - 2026-03-04", "1.10.0 (2026-03-04)", "line 11: write"),
        ("1.10.0", "1.8.0", "not in order"),
        ("1.10.0", "1.9.0", "not in order"),
        ("1.9.0 - 2026-01-02", "Unreleased", "not in order"),
        ("- Another.", "Another.", "line 14: a line belongs"),
        ("### Added\n- Another.", "- Another.", "line 13: a change belongs to a group"),
        ("### Added\n- Another.", "", "line 11: version 1.10.0 has no changes"),
        ("  on two lines.", "\n### Fixed\n- More.", "line 10: a second `Fixed`"),
    ],
)
def test_another_form_is_refused(before: str, after: str, message: str) -> None:
    with pytest.raises(ChangelogInvalid, match=message):
        read_changelog(TEXT.replace(before, after, 1))

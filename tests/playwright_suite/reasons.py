"""Why tests of the suite differ by design, and what a module does instead."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DifferenceReason:
    """One group of differences."""

    why: str
    instead: str
    error: str = ""
    """A pattern of the error that shows it."""
    tests: frozenset[str] = frozenset()
    """Names of tests whose error does not show it."""
    needs_files: bool = False
    """The test needs files of its host. No module has any, so it says nothing about pages."""


REASONS: tuple[DifferenceReason, ...] = (
    DifferenceReason(
        why="A module has no files but those of its own package, and writes none. The browser reads none at all "
        "(`file://`).",
        instead="Give bytes, or a file of the package ([files](#files)). Keep bytes with `helpers.artifact`.",
        error=r"[Nn]o such file or directory|Operation not permitted: '|no attribute 'as_uri'|stat: path should be",
        needs_files=True,
    ),
    DifferenceReason(
        why="The call is refused.",
        instead="See [what is refused](#what-is-refused).",
        error=r"^CallRefused: ",
    ),
    DifferenceReason(
        why="A module has no network of its own: the test starts a server.",
        instead="Nothing.",
        error="a job cannot start a server",
    ),
)
"""The first that fits counts."""

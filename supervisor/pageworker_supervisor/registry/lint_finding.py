"""What the check of a module's folder found, and in which order it is told."""

from typing import Literal

from msgspec import Struct

Severity = Literal["error", "warning"]


class LintFinding(Struct, frozen=True):
    """One finding. `line` counts from 1; 0: the whole file. `fix` says what to do about it.

    `error`: the module would be refused or would fail where it is used. `warning`: it works, and could be better.
    """

    file: str
    line: int
    severity: Severity
    rule: str
    message: str
    fix: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.severity}: {self.message} [{self.rule}]"


class LintReport(Struct, frozen=True):
    """Of `module lint`: how many findings of each severity, and all of them, by file and line."""

    errors: int
    warnings: int
    findings: tuple[LintFinding, ...]


def in_order(findings: list[LintFinding]) -> tuple[LintFinding, ...]:
    """By file and line; each once."""
    return tuple(sorted(set(findings), key=lambda found: (found.file, found.line, found.rule, found.message)))

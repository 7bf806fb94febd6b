"""What the findings mean for a worker, by the settings in `[checks]`. Pure."""

from collections.abc import Iterable, Mapping

from msgspec import Struct
from msgspec.structs import asdict

from pageworker_supervisor.config.check_settings import CheckSettings
from pageworker_supervisor.config.self_checks import CheckMode
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.self_checks.finding import Finding


class ChecksRefused(Exception):
    """Self-checks that are set to `refuse` have failed. `findings` holds all of them."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__(findings)
        self.findings = findings

    def __str__(self) -> str:
        count = len(self.findings)
        head = f"{count} self-check{' refuses' if count == 1 else 's refuse'} to start this worker:"
        return "\n".join([head, *(f"  {line}" for finding in self.findings for line in finding_lines(finding))])


class CheckChanges(Struct, frozen=True):
    """What differs between two looks at the same checks."""

    lost: tuple[Finding, ...]
    """Checks that fail now and did not before."""
    regained: tuple[Finding, ...]


def mode_of(checks: CheckSettings, name: str) -> CheckMode:
    """The setting of a check. Raises KeyError if there is no such setting."""
    mode: CheckMode = asdict(checks)[name]
    return mode


def switched_on(checks: CheckSettings, findings: Iterable[Finding]) -> list[Finding]:
    """Those that are not off."""
    return [finding for finding in findings if mode_of(checks, finding.name) != "off"]


def refused(checks: CheckSettings, findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Those that keep a worker from starting, and one that runs from being ready."""
    return tuple(finding for finding in findings if not finding.ok and mode_of(checks, finding.name) == "refuse")


def warned(checks: CheckSettings, findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Those for the log: failed, or not known. A check that cannot be made never refuses."""
    on = switched_on(checks, findings)
    return tuple(one for one in on if not one.known or (not one.ok and mode_of(checks, one.name) == "warn"))


def changes(failed_before: Mapping[str, Finding], findings: Iterable[Finding]) -> CheckChanges:
    """Compares a new look with what had failed before. A check that is not known any more keeps its state."""
    lost, regained = [], []
    for finding in findings:
        before = failed_before.get(finding.name)
        if not finding.ok and before is None:
            lost.append(finding)
        elif finding.ok and finding.known and before is not None:
            regained.append(finding)
    return CheckChanges(tuple(lost), tuple(regained))


def finding_lines(finding: Finding) -> list[str]:
    """A finding for people: name and what was found, then how to fix it."""
    lines = [f"{finding.name}: {printable(finding.found)}"]
    return [*lines, f"  → {printable(finding.mend)}"] if finding.mend else lines

"""The result of one check."""

from collections.abc import Iterable

from msgspec import Struct


class Finding(Struct, frozen=True):
    """One check: its name, whether it passed, what was found, and how to fix or to improve it.

    The name of a check that can be configured is that of its setting in `[checks]`.
    """

    name: str
    ok: bool
    found: str
    mend: str = ""
    known: bool = True
    """False: Redis did not tell. Then `found` says which right is missing, and `ok` is true."""


def unknown(name: str, right: str, mend: str) -> Finding:
    """The finding of a check that the user of Redis may not make."""
    return Finding(name, True, f"unknown: the right to {right} is missing", mend, known=False)


def worst(findings: Iterable[Finding]) -> Finding:
    """One finding for several of the same check, each of another server. Raises ValueError without any."""
    return min(findings, key=lambda finding: (finding.ok, finding.known, not finding.mend))

"""Verifies a chain of audit records. Pure.

A chain is whole if the records follow one another without a gap, each names the code of the one before, and a known key
made each code. It may begin late only if a record of the chain says that everything before was trimmed (TRIM). It must
hold every checkpoint: a number and its code that some host has seen before. Without a checkpoint, records that are cut
off at the end, or a chain that was replaced by an older copy, cannot be told from one that never had them.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from pageworker_supervisor.audit.record import NO_MAC, AuditKey, AuditLine

TRIM = "audit.trim"
"""Action of the record that stands for those before it. Its details: `through`, the last one's number, and `mac`."""
MOST_FINDINGS = 100

Fault = Literal[
    "unreadable", "changed", "missing", "out_of_order", "not_linked", "start_cut", "end_cut", "replaced", "unverifiable"
]


class Checkpoint(Struct, frozen=True):
    """The newest record that was seen: its number and its code."""

    number: int
    mac: str


class ChainFinding(Struct, frozen=True):
    """Something that is wrong. `number`: of the record, 0 if it has none."""

    fault: Fault
    number: int
    text: str


class ChainReport(Struct, frozen=True, kw_only=True):
    """`verified`: records whose code a known key made. `unverifiable`: those of unknown keys, by key id."""

    first: int = 0
    last: int = 0
    last_mac: str = NO_MAC
    verified: int = 0
    unverifiable: dict[str, int] = {}
    findings: tuple[ChainFinding, ...] = ()
    more_findings: int = 0

    @property
    def whole(self) -> bool:
        """Nothing is wrong, and every record was verified."""
        return not self.findings and not self.unverifiable

    @property
    def checkpoint(self) -> Checkpoint:
        """Its newest record."""
        return Checkpoint(self.last, self.last_mac)


def verify_chain(
    untrusted_lines: Iterable[AuditLine | None],
    keys: Mapping[str, AuditKey],
    checkpoints: Sequence[Checkpoint] = (),
) -> ChainReport:
    """Look at all records in the order in which they are stored. None: one that cannot be read."""
    check = _Check(keys, {point.number: point.mac for point in checkpoints if point.number > 0})
    for line in untrusted_lines:
        check.look(line)
    return check.report(checkpoints)


class _Check:
    """One pass over a chain."""

    def __init__(self, keys: Mapping[str, AuditKey], seen: Mapping[int, str]) -> None:
        self._keys = keys
        self._seen = seen
        self._first: AuditLine | None = None
        self._last: AuditLine | None = None
        self._verified = 0
        self._unknown: dict[str, int] = {}
        self._trims: dict[int, str] = {}
        self._findings: list[ChainFinding] = []
        self._more = 0

    def look(self, line: AuditLine | None) -> None:
        """The next record."""
        if line is None or line.number < 1:
            self._find("unreadable", 0, "an entry is no record")
            return
        self._check_code(line)
        before = self._last
        if before is None:
            self._first = line
        elif line.number <= before.number:
            self._find("out_of_order", line.number, f"record {line.number} stands behind record {before.number}")
        elif line.number > before.number + 1:
            gap = f"records {before.number + 1} to {line.number - 1}"
            self._find("missing", line.number, f"{gap} are missing")
        elif line.previous != before.mac:
            self._find("not_linked", line.number, f"record {line.number} does not follow this record {before.number}")
        if line.number in self._seen and self._seen[line.number] != line.mac:
            self._find("replaced", line.number, f"another record {line.number} was seen before")
        self._last = line

    def _check_code(self, line: AuditLine) -> None:
        key = self._keys.get(line.key_id)
        if key is None:
            self._unknown[line.key_id] = self._unknown.get(line.key_id, 0) + 1
        elif not key.made(line):
            self._find("changed", line.number, f"record {line.number} does not have the code of its text")
        else:
            self._verified += 1
            detail = line.record.get("detail")
            if line.record.get("action") == TRIM and isinstance(detail, dict):
                self._trims[detail.get("through", 0)] = detail.get("mac", "")

    def report(self, checkpoints: Sequence[Checkpoint]) -> ChainReport:
        """What was found, after the last record."""
        first, last = self._first, self._last
        if first is not None and first.number > 1 and self._trims.get(first.number - 1) != first.previous:
            text = f"records 1 to {first.number - 1} are missing, and no record says that they were trimmed"
            self._find("start_cut", first.number, text)
        elif first is not None and first.number == 1 and first.previous != NO_MAC:
            self._find("not_linked", 1, "record 1 follows another record")
        end = last.number if last is not None else 0
        newest = max((point.number for point in checkpoints), default=0)
        if newest > end:
            self._find("end_cut", end, f"record {newest} was seen before, and the log ends with {end}")
        return ChainReport(
            first=first.number if first is not None else 0,
            last=end,
            last_mac=last.mac if last is not None else NO_MAC,
            verified=self._verified,
            unverifiable=self._unknown,
            findings=tuple(self._findings),
            more_findings=self._more,
        )

    def _find(self, fault: Fault, number: int, text: str) -> None:
        if len(self._findings) < MOST_FINDINGS:
            self._findings.append(ChainFinding(fault, number, text))
        else:
            self._more += 1

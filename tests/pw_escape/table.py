"""The table of docs/mechanisms.md: a mechanism, the mechanisms that overlap it, an attack that it refuses."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "mechanisms.md"


@dataclass(frozen=True)
class AttackRow:
    """One row. `attack` is the name of an attack in pw_escape/attacks."""

    mechanism: str
    overlaps: frozenset[str]
    attack: str


def rows() -> Iterator[AttackRow]:
    """Every row of every section."""
    for line in DOCUMENT.read_text().splitlines():
        columns = [column.strip() for column in line.strip("|").split("|")]
        if line.startswith("| ") and columns[0] != "mechanism":
            mechanism, overlaps, attack = columns
            yield AttackRow(mechanism, frozenset(filter(None, overlaps.split(", "))), attack)


ROWS = tuple(rows())

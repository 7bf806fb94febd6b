"""The mutation table, which is docs/mechanisms.md: mechanism, what overlaps it, the attack that it stops."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "mechanisms.md"


@dataclass(frozen=True)
class AttackRow:
    """`attack` is the name of one in pw_escape/attacks."""

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

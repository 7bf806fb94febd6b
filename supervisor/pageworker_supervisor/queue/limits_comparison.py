"""Compares the limits of several workers, and names those that differ. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

MOST_LINES = 20
UNITS = ("weight", "concurrency", "rate_per_second", "burst")
"""What `limits_text` of queue/producer.py writes, in its order."""


def differences(tables: Mapping[str, bytes]) -> list[str]:
    """One line per name that not all workers give the same limits: `tenants."acme": concurrency=4 (w1); no entry (w2)`.

    `tables`: by worker, as `LimitsTable.packed(1)` writes them. At most MOST_LINES, then the number of the others.
    """
    entries = {worker: _entries(msgspec.msgpack.decode(packed)) for worker, packed in tables.items()}
    lines = []
    for name in sorted({name for each in entries.values() for name in each}):
        workers: dict[str | None, list[str]] = {}
        for worker in sorted(entries):
            workers.setdefault(entries[worker].get(name), []).append(worker)
        if len(workers) > 1:
            told = (f"{_described(text)} ({', '.join(names)})" for text, names in workers.items())
            lines.append(f"{name}: {'; '.join(told)}")
    more = len(lines) - MOST_LINES
    return [*lines[:MOST_LINES], f"and {more} more"] if more > 0 else lines


def _entries(table: Mapping[str, Any]) -> dict[str, str]:
    """The text of each entry by its name in the configuration."""
    found = {"limits.fleet": table["fleet"]}
    for kind, section in (("tenants", "tenants"), ("domains", "domains"), ("limits.modules", "modules")):
        for name, text in [*table[section]["exact"].items(), *table[section]["globs"]]:
            found[f'{kind}."{name}"'] = text
    budgets = table.get("budgets") or {"exact": {}, "globs": []}
    for name, text in [*budgets["exact"].items(), *budgets["globs"]]:
        if text:
            found[f'tenants."{name}".budget'] = text
    return found


def _described(text: str | None) -> str:
    if text is None:
        return "no entry"
    if not text:
        return "no limits"
    if "=" in text:  # a budget
        return text
    parts = dict(zip(UNITS, text.split(" "), strict=True))
    if parts["rate_per_second"] == "0":
        del parts["rate_per_second"], parts["burst"]
    return " ".join(f"{unit}={value}" for unit, value in parts.items())

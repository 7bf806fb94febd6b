"""Generates the table of self-checks in docs/operations.md: `python -m pageworker_supervisor.self_checks.reference`."""

import sys

import msgspec

from pageworker_supervisor.config.check_settings import CheckSettings
from pageworker_supervisor.config.reference import descriptions
from pageworker_supervisor.config.self_checks import PROTECTING, WATCHED


def checks_table() -> str:
    """The table in Markdown, one row per check."""
    texts = descriptions()
    rows = ["| check | passes if | default | can be off | repeated |", "|---|---|---|---|---|"]
    for field in msgspec.structs.fields(CheckSettings):
        text = " ".join(texts[CheckSettings.__name__, field.name].split())
        off = f"no: {PROTECTING[field.name]}" if field.name in PROTECTING else "yes"
        repeated = "yes" if field.name in WATCHED else ""
        rows.append(f"| `{field.name}` | {text} | `{field.default}` | {off} | {repeated} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.stdout.write(checks_table())

"""Reads the units of deploy/systemd."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy" / "systemd"
UNIT, TEMPLATE = DEPLOY / "pageworker.service", DEPLOY / "pageworker@.service"
FLEET = DEPLOY / "pageworker-fleet.service"
API = DEPLOY / "pageworker-api.service"


def entries(unit: Path) -> list[tuple[str, str]]:
    """Key and value of each line that is no comment, in their order."""
    lines = (line for line in unit.read_text().splitlines() if line and line[0] not in "#[")
    return [(key, value) for key, _, value in (line.partition("=") for line in lines)]


def values(unit: Path, key: str) -> list[str]:
    """The values of a key, in their order."""
    return [text for name, text in entries(unit) if name == key]


def allowed_calls(unit: Path) -> set[str]:
    """The system calls that SystemCallFilter permits. The groups are those of this host's systemd."""
    listed = subprocess.run(
        ["systemd-analyze", "syscall-filter", "--no-pager"], capture_output=True, text=True, timeout=60
    ).stdout
    groups: dict[str, list[str]] = {}
    for line in listed.splitlines():
        if line.startswith("@"):
            groups[line.strip()] = current = []
        elif line.startswith("    ") and not line.lstrip().startswith("#"):
            current.append(line.strip())
    allowed: set[str] = set()
    for text in values(unit, "SystemCallFilter"):
        named = set().union(*(_calls_of(groups, word) for word in text.removeprefix("~").split()))
        allowed = allowed - named if text.startswith("~") else allowed | named
    return allowed


def _calls_of(groups: dict[str, list[str]], name: str) -> set[str]:
    if not name.startswith("@"):
        return {name}
    return set().union(*(_calls_of(groups, inner) for inner in groups[name]))

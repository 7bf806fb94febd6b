"""Settings that are planned and do not work yet. They are refused by name: never accepted and ignored."""

from pageworker_supervisor.config.toml_lines import Path

EXPECTED = "not supported yet"

SETTINGS: dict[Path, str] = {
    ("status_page", "thumbnails"): "leave it out; results have screenshots of jobs, which the status page shows",
}
"""Path of a setting or section, and what to do instead."""


def instead_of(path: Path) -> str | None:
    """What to do instead of the setting. None if the setting is not a planned one."""
    return next((hint for known, hint in SETTINGS.items() if _begins_with(path, known)), None)


def _begins_with(path: Path, known: Path) -> bool:
    return path[: len(known)] == known

"""Marks of admission are three rising percentages, or none."""

from pathlib import Path

import pytest

from pageworker_supervisor.config.errors import ConfigInvalid
from pageworker_supervisor.config.load import read_local


def problems(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "pageworker.toml"
    (tmp_path / "registry").mkdir()
    file.write_text(f"[worker]\ndata_dir = '{tmp_path}'\n[admission]\nmemory_percent = {text}\n")
    try:
        read_local(file, {}).settings()
    except ConfigInvalid as invalid:
        return [problem.key for problem in invalid.problems]
    return []


@pytest.mark.parametrize("text", ["[]", "[1, 2, 3]", "[88.5, 92, 100]"])
def test_three_rising_marks_or_none(tmp_path: Path, text: str) -> None:
    assert problems(tmp_path, text) == []


@pytest.mark.parametrize("text", ["[90]", "[90, 95]", "[90, 90, 95]", "[95, 90, 97]", "[0, 1, 2]", "[1, 2, 101]"])
def test_other_marks_are_a_mistake(tmp_path: Path, text: str) -> None:
    assert problems(tmp_path, text)[0].startswith("admission.memory_percent")

"""Everything that is generated from the commands is written by one call."""

from pathlib import Path

import pytest

from pageworker_supervisor.cli import generate
from pageworker_supervisor.cli.help_page import FOLDER
from pageworker_supervisor.cli.json_schema import PRINTED


def test_all_files_are_written_and_old_ones_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pages, schemas = tmp_path / "help", tmp_path / "schemas"
    pages.mkdir()
    (pages / "workerctl-gone.txt").touch()
    monkeypatch.setattr(generate, "FOLDER", pages)
    monkeypatch.setattr(generate, "SCHEMAS", schemas)
    generate.write_all(tmp_path)
    assert {file.name for file in pages.iterdir()} == {file.name for file in FOLDER.iterdir()}
    assert len(list(schemas.iterdir())) == len(PRINTED)
    assert (tmp_path / "workerctl.1").read_text().startswith('.\\"')
    assert (tmp_path / "workerctl.md").read_text().startswith("# workerctl\n")

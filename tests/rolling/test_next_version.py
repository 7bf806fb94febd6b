"""The edits fit the sources of today, so that `make rolling` works when a release needs it."""

import shutil
from pathlib import Path

import pytest

from rolling.next_version import EDITS, NEW_FIELD, EditMisplaced, SourceEdit, make_next_version

ROOT = Path(__file__).parents[2]


def test_the_edits_fit_and_change_what_a_job_and_the_functions_are(tmp_path: Path) -> None:
    for file in {edit.file for edit in EDITS}:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    make_next_version(tmp_path)
    for file in {edit.file for edit in EDITS}:
        assert NEW_FIELD in (tmp_path / file).read_text()
        assert NEW_FIELD not in (ROOT / file).read_text()


def test_an_anchor_that_is_gone_is_named() -> None:
    edit = SourceEdit(Path("a.py"), "x = 1", "y = 2")
    assert edit.apply("x = 1\n") == "x = 1y = 2\n"
    with pytest.raises(EditMisplaced, match=r"a\.py has 0 times: x = 1"):
        edit.apply("x = 2\n")
    with pytest.raises(EditMisplaced, match="2 times"):
        edit.apply("x = 1\nx = 1\n")

"""The name of one run of a worker, and of the run before."""

import re
from pathlib import Path

from pageworker_supervisor.worker_identity import claim_data_dir


def test_the_first_run_has_no_predecessor(tmp_path: Path) -> None:
    name, before = claim_data_dir(tmp_path, "w1")
    assert re.fullmatch(r"w1\.[0-9a-f]{6}", name)
    assert before is None


def test_each_run_has_a_new_name_and_learns_that_of_the_last_one(tmp_path: Path) -> None:
    names: list[str] = []
    for _ in range(5):
        name, before = claim_data_dir(tmp_path, "w1")
        assert before == (names[-1] if names else None)
        names.append(name)
    assert len(set(names)) == 5


def test_the_name_is_readable_by_this_user_only(tmp_path: Path) -> None:
    claim_data_dir(tmp_path, "w1")
    assert [oct(file.stat().st_mode & 0o777) for file in tmp_path.iterdir()] == ["0o600"]


def test_a_file_that_an_interrupted_run_left_half_written_is_replaced(tmp_path: Path) -> None:
    name, _ = claim_data_dir(tmp_path, "w1")
    (file,) = tmp_path.iterdir()
    file.with_name(f"{file.name}.new").write_text("half")
    assert claim_data_dir(tmp_path, "w1")[1] == name

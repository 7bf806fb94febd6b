"""The newest record that a host has seen."""

from pathlib import Path

from pageworker_supervisor.audit.chain import Checkpoint
from pageworker_supervisor.audit.checkpoint_file import CHECKPOINT_FILE, CheckpointFile


def test_a_checkpoint_only_goes_forward(tmp_path: Path) -> None:
    file = CheckpointFile(tmp_path)
    assert file.read() is None
    assert file.advance(Checkpoint(5, "a"))
    assert file.advance(Checkpoint(4, "b"))
    assert file.advance(Checkpoint(5, "c"))
    assert file.read() == Checkpoint(5, "a")
    assert file.advance(Checkpoint(6, "d"))
    assert CheckpointFile(tmp_path).read() == Checkpoint(6, "d")
    assert [each.name for each in tmp_path.iterdir()] == [CHECKPOINT_FILE]


def test_a_folder_that_is_gone_keeps_nothing(tmp_path: Path) -> None:
    assert CheckpointFile(tmp_path / "nope").advance(Checkpoint(1, "a")) is False


def test_a_damaged_file_is_none(tmp_path: Path) -> None:
    (tmp_path / CHECKPOINT_FILE).write_text("{")
    assert CheckpointFile(tmp_path).read() is None


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    CheckpointFile(tmp_path).advance(Checkpoint(1, "a"))
    (tmp_path / CHECKPOINT_FILE).rename(tmp_path / "elsewhere")
    (tmp_path / CHECKPOINT_FILE).symlink_to(tmp_path / "elsewhere")
    assert CheckpointFile(tmp_path).read() is None

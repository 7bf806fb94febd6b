"""The programs that a runner must be able to execute."""

from pathlib import Path

from pageworker_runner.environment import programs


def test_node_and_the_browsers_folder_are_named_by_their_real_paths(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "chromium").touch()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "node").touch()
    node, browser = programs(str(tmp_path / "link" / "chromium"), tmp_path / "link" / "node")
    assert node == str(tmp_path / "real" / "node")
    assert browser == str(tmp_path / "real")

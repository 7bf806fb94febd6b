"""The marker is read in the folder that the browser's own command line names."""

from pathlib import Path

from pageworker_runner.browser.profile_marker import FILE, profile_marker


def process(proc: Path, *command: str) -> Path:
    (proc / "7").mkdir(parents=True, exist_ok=True)
    (proc / "7/cmdline").write_bytes("\0".join((*command, "")).encode())
    return proc


def test_it_is_that_of_the_folder_in_the_command_line(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / FILE).write_text(f"{name}\n")
    for name in ("one", "two"):
        proc = process(tmp_path / "proc", "chromium", "--headless", f"--user-data-dir={tmp_path / name}", "about:blank")
        assert profile_marker(7, proc) == name


def test_without_a_process_a_folder_or_a_file_there_is_none(tmp_path: Path) -> None:
    assert profile_marker(7, tmp_path / "nothing") == "none"
    assert profile_marker(7, process(tmp_path / "a", "chromium")) == "none"
    proc = process(tmp_path / "b", f"--user-data-dir={tmp_path}")
    assert profile_marker(7, proc) == "none"
    (tmp_path / FILE).symlink_to("/etc/hostname")
    assert profile_marker(7, proc) == "none"

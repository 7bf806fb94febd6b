"""Which version is the one before, and that each build imports its own sources."""

import subprocess
from pathlib import Path

import pytest

from rolling import builds
from rolling.next_version import NEW_FIELD


def test_each_build_has_its_own_sources(tmp_path: Path) -> None:
    if not (builds.ROOT / ".git").exists():
        pytest.skip("needs a git repository")
    tmp_path.chmod(0o755)
    with builds.two_builds(tmp_path, "HEAD") as (before, following):
        assert builds.origin_of(before).is_relative_to(tmp_path / "before")
        assert builds.origin_of(following).is_relative_to(tmp_path / "next")
        job = Path("supervisor/pageworker_supervisor/contract/job.py")
        assert NEW_FIELD not in (tmp_path / "before" / job).read_text()
        assert NEW_FIELD in (tmp_path / "next" / job).read_text()
    assert not (tmp_path / "before").exists()


def test_the_newest_tag_is_the_version_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*words: str) -> None:
        author = ("-c", "user.name=a", "-c", "user.email=a@example.com")
        subprocess.run(["git", "-C", tmp_path, *author, *words], check=True, capture_output=True)

    monkeypatch.setattr(builds, "ROOT", tmp_path)
    git("init")
    git("commit", "--allow-empty", "-m", "first")
    assert builds.newest_version() == "HEAD"
    git("tag", "v1.9.0")
    git("tag", "v1.10.0")
    assert builds.newest_version() == "v1.10.0"

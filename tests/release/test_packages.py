"""Packages of a small repository, built as those of pageworker: `make package` builds the real ones."""

import os
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
from deploy.release.packages import PackageFailed, build_packages, copy_tracked

SDK = '[project]\nname = "pageworker-sdk"\nversion = "1.0"\n[tool.setuptools]\npackages = ["pageworker"]\n'
FILES = {
    "setup.cfg": "[metadata]\nname = pageworker\nversion = 3.2.1\n[options]\npackages = small\n",
    "pyproject.toml": '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n',
    "small/__init__.py": "A = 1\n",
    "MANIFEST.in": "include run.sh\n",
    "run.sh": "#!/bin/sh\n",
    "runner/pyproject.toml": SDK,
    "runner/LICENSE": "free",
    "runner/pageworker/__init__.py": "",
}
DATE = "2026-01-02T03:04:05Z"


def git(folder: Path, *words: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example"]
    dates = {"GIT_AUTHOR_DATE": DATE, "GIT_COMMITTER_DATE": DATE}
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True, env={**os.environ, **dates})


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    root = tmp_path / "repository"
    for name, text in FILES.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (root / "run.sh").chmod(0o755)
    git(root, "init")
    git(root, "add", "--all")
    git(root, "commit", "--message", "First")
    return root


def built(root: Path, folder: Path) -> dict[str, bytes]:
    folder.mkdir()
    return {file.name: file.read_bytes() for file in build_packages(folder, root)}


def test_two_builds_have_the_same_bytes(repository: Path, tmp_path: Path) -> None:
    first = built(repository, tmp_path / "first")
    assert sorted(first) == [
        "pageworker-3.2.1-py3-none-any.whl",
        "pageworker-3.2.1.tar.gz",
        "pageworker_sdk-1.0-py3-none-any.whl",
    ]
    for file in (repository / "small/__init__.py", repository / "run.sh"):
        file.chmod(file.stat().st_mode & 0o711)
        os.utime(file, (1, 1))
    (repository / "small/not_tracked.py").touch()
    assert built(repository, tmp_path / "second") == first
    with zipfile.ZipFile(tmp_path / "first/pageworker-3.2.1-py3-none-any.whl") as wheel:
        assert "small/__init__.py" in wheel.namelist()
        assert {info.date_time for info in wheel.infolist()} == {(2026, 1, 2, 3, 4, 4)}
    with tarfile.open(tmp_path / "first/pageworker-3.2.1.tar.gz") as sdist:
        assert sdist.getmember("pageworker-3.2.1/run.sh").mode == 0o755


def test_a_build_that_fails_leaves_nothing(repository: Path, tmp_path: Path) -> None:
    (repository / "pyproject.toml").write_text("not toml")
    folder = tmp_path / "dist"
    folder.mkdir()
    with pytest.raises(PackageFailed, match="ended with"):
        build_packages(folder, repository)
    assert list(folder.iterdir()) == []


def test_a_wrong_date_is_refused(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(PackageFailed, match="yesterday"):
        build_packages(tmp_path, repository)


def test_links_are_copied_as_links(repository: Path, tmp_path: Path) -> None:
    (repository / "runner/LICENSE").unlink()
    (repository / "runner/LICENSE").symlink_to("../run.sh")
    git(repository, "add", "--all")
    copy_tracked(repository, tmp_path / "copy")
    assert (tmp_path / "copy/runner/LICENSE").readlink() == Path("../run.sh")

"""A release is checked before it is built, appears at once, and is compared when it is there already."""

import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest
from deploy.release.release import ReleaseRefused, prepare, put, version_of, write_metadata

BASE = "localhost/base@sha256:" + "b" * 64
NOTES = "# Changelog\n\n## 3.2.1 - 2026-01-02\n\n### Added\n- All.\n"


def git(folder: Path, *words: str) -> str:
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@example", *words]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    (root / "requirements").mkdir(parents=True)
    (root / "requirements/run.txt").write_text("msgspec==1\n")
    (root / "setup.cfg").write_text("[metadata]\nname = pageworker\nversion = 3.2.1\n")
    (root / "CHANGELOG.md").write_text(NOTES)
    git(root, "init")
    git(root, "add", "--all")
    git(root, "commit", "--message", "First")
    return root


def test_the_plan_of_a_release(repository: Path) -> None:
    plan = prepare(repository, BASE, snapshot=False)
    assert (plan.name, plan.notes) == ("pageworker-3.2.1", "### Added\n- All.\n")
    assert plan.source.commit == git(repository, "rev-parse", "HEAD")
    assert plan.source.locks == {"requirements/run.txt": hashlib.sha256(b"msgspec==1\n").hexdigest()}


def test_a_snapshot_is_named_by_its_commit_and_needs_no_notes(repository: Path) -> None:
    (repository / "CHANGELOG.md").write_text("")
    git(repository, "commit", "--all", "--message", "Second")
    plan = prepare(repository, BASE, snapshot=True)
    assert plan.name == f"pageworker-3.2.1-{git(repository, 'rev-parse', 'HEAD')[:12]}"
    with pytest.raises(ReleaseRefused, match=r"no section of version 3\.2\.1"):
        prepare(repository, BASE, snapshot=False)


@pytest.mark.parametrize("base", ["", "debian:bookworm", "debian@sha256:1234", "@sha256:" + "b" * 64])
def test_a_base_without_a_digest_is_refused(repository: Path, base: str) -> None:
    with pytest.raises(ReleaseRefused, match="BASE is"):
        prepare(repository, base, snapshot=False)


def test_changes_that_are_not_committed_are_refused(repository: Path) -> None:
    (repository / "new.py").touch()
    with pytest.raises(ReleaseRefused, match=r"new\.py"):
        prepare(repository, BASE, snapshot=True)


def test_a_version_whose_tag_is_elsewhere_is_refused(repository: Path) -> None:
    git(repository, "tag", "v3.2.1")
    prepare(repository, BASE, snapshot=False)
    git(repository, "commit", "--allow-empty", "--message", "Second")
    with pytest.raises(ReleaseRefused, match=r"tag v3\.2\.1 is at"):
        prepare(repository, BASE, snapshot=False)


def test_checksums_and_provenance_name_every_file(repository: Path, tmp_path: Path) -> None:
    folder = tmp_path / "built"
    folder.mkdir()
    (folder / "p.whl").write_bytes(b"wheel")
    images = {"pageworker:headless": "sha256:" + "2" * 64}
    write_metadata(folder, prepare(repository, BASE, snapshot=False), images)
    command = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    checked = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
    names = {file.name for file in folder.iterdir()} - {"SHA256SUMS"}
    assert names == {"p.whl", "images.json", "NOTES.md", "provenance.intoto.json"}
    assert {line.partition(":")[0] for line in checked.splitlines()} == names
    subjects = json.loads((folder / "provenance.intoto.json").read_text())["subject"]
    assert {each["name"] for each in subjects} == names - {"provenance.intoto.json"} | set(images)


def test_the_same_build_changes_nothing_and_another_one_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "pageworker-3.2.1"
    for name, text in (("first", "a"), ("second", "a"), ("third", "b")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "p.whl").write_text(text)
    assert put(tmp_path / "first", target)
    assert not put(tmp_path / "second", target)
    with pytest.raises(ReleaseRefused, match=r"differ in: p\.whl"):
        put(tmp_path / "third", target)
    assert (target / "p.whl").read_text() == "a"


def test_the_version_is_the_one_of_the_installed_package() -> None:
    root = Path(__file__).parents[2]
    command = [str(root / ".venv/bin/workerctl"), "--version"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ}).stdout
    assert version_of(root) in told.split()

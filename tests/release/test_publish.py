"""Only a whole release is published."""

import json
from pathlib import Path

import pytest
from deploy.release.publish import PublishFailed, check_images, check_release

IMAGES = {"pageworker:headless": "sha256:" + "1" * 64}


@pytest.fixture
def release(tmp_path: Path) -> Path:
    from deploy.release.release import ReleasePlan, write_metadata
    from deploy.release.statement import ReleaseSource

    folder = tmp_path / "pageworker-1.2.3"
    folder.mkdir()
    (folder / "p.whl").write_bytes(b"wheel")
    source = ReleaseSource("1.2.3", "c" * 40, "localhost/base@sha256:" + "b" * 64, {})
    write_metadata(folder, ReleasePlan(source, "### Added\n- All.\n"), IMAGES)
    return folder


def test_a_whole_release_names_its_images(release: Path) -> None:
    assert check_release(release) == IMAGES


def test_a_changed_file_is_named(release: Path) -> None:
    (release / "p.whl").write_bytes(b"another wheel")
    with pytest.raises(PublishFailed, match=r"differ from SHA256SUMS: p\.whl"):
        check_release(release)


@pytest.mark.parametrize("name", ["SHA256SUMS", "images.json", "p.whl"])
def test_a_release_with_a_missing_file_is_refused(release: Path, name: str) -> None:
    (release / name).unlink()
    with pytest.raises(PublishFailed, match="is not a whole release"):
        check_release(release)


def test_another_image_than_that_of_the_release_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = tmp_path / "podman"
    answer.write_text(f"#!/bin/sh\necho {json.dumps('sha256:' + '2' * 64)}\n")
    answer.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(PublishFailed, match="another image than that of the release"):
        check_images(IMAGES)

"""Packing and unpacking as the folder worker does them: by a message on stdin, without site-packages."""

import io
import marshal
from pathlib import Path
from typing import Any

import nacl
import pytest
from pw_profiles import KEY, put

from pageworker_profiles.errors import ContentDamaged, FolderWorkerFailed, ProfileTooLarge, SnapshotTampered
from pageworker_profiles.folder_calls import call_worker
from pageworker_profiles.snapshots import transfers
from pageworker_profiles.snapshots.keys import bound_to


def message(file: Path, snapshot: str = "one") -> dict[str, Any]:
    bound = bound_to("acme", "p", snapshot)
    return {"file": str(file), "key": KEY, "bound": bound, "packages": str(Path(nacl.__file__).parents[1])}


async def test_what_was_packed_is_unpacked(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    put(tmp_path / "data", "x" * 1000)
    file = tmp_path / "file"
    packed = await call_worker("pack", tmp_path / "data", 10, 10**6, message=message(file))
    assert packed["stored"] == file.stat().st_size
    assert packed["files"] == 2
    unpacked = await call_worker("unpack", tmp_path / "again", 10, 10**6, message=message(file))
    assert (unpacked["files"], unpacked["bytes"]) == (2, 1000)
    assert (tmp_path / "again/Default/Preferences").read_text() == "x" * 1000
    with pytest.raises(SnapshotTampered):
        await call_worker("unpack", tmp_path / "other", 10, 10**6, message=message(file, "two"))
    with pytest.raises(ProfileTooLarge):
        await call_worker("unpack", tmp_path / "small", 1, 10**6, message=message(file))


async def test_a_folder_is_moved(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    await call_worker("move", tmp_path / "a", message={"to": str(tmp_path / "b")})
    assert (tmp_path / "b").is_dir()


async def test_an_unknown_action_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FolderWorkerFailed, match="unknown action"):
        await call_worker("paint", tmp_path, message={})


def test_the_process_gives_up_its_rights_once_the_files_are_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Cookies").write_bytes(b"no database")
    confined: list[int] = []
    monkeypatch.setattr("pageworker_profiles.content_check.confine", confined.append)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(marshal.dumps({}))))
    with pytest.raises(ContentDamaged):
        transfers.answer("check", tmp_path, [])
    assert len(confined) == 1

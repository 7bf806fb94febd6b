"""The file of an exported profile: its head, and what is refused."""

import io
import subprocess
import tarfile
from pathlib import Path

import pytest
from msgspec.structs import replace

from pageworker_profiles.errors import ExportUnusable, ProfileTooLarge
from pageworker_profiles.exports import ProfileExport, TarWriter, check_export, write_export
from pageworker_profiles.sizes import FolderSize
from pageworker_profiles.snapshots import archive
from pageworker_profiles.trees import opened_folder

HEAD = ProfileExport(tenant_id="t" * 63, profile_id="P" * 128, browser_version="156.0.8078.108", exported_at=1.5)
MOST = FolderSize(10, 100_000)


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """An export of a folder with one file."""
    folder = tmp_path / "profile"
    (folder / "Default").mkdir(parents=True)
    (folder / "Default/Cookies").write_text("secret")
    write_export(tmp_path / "p.tar", HEAD, lambda tar: packed(folder, tar, MOST))
    return tmp_path / "p.tar"


def packed(folder: Path, tar: TarWriter, most: FolderSize) -> FolderSize:
    """Its content as tar."""
    with opened_folder(folder) as top:
        return archive.pack(top, tar, most)  # type: ignore[arg-type]  # tarfile calls `write` alone


def refused(data: bytes) -> str:
    """Why a file with these bytes is no export."""
    with pytest.raises(ExportUnusable) as error:
        check_export(io.BytesIO(data), "p.tar")
    return str(error.value)


def test_what_was_exported_can_be_read_again(export: Path, tmp_path: Path) -> None:
    assert export.stat().st_mode & 0o777 == 0o600
    (tmp_path / "new").mkdir()
    with export.open("rb") as file, opened_folder(tmp_path / "new") as top:
        opened = check_export(file, "p.tar")
        archive.unpack(opened.file, top, MOST)
    assert replace(opened.head, bytes=0, sha256="") == HEAD
    assert (tmp_path / "new/Default/Cookies").read_text() == "secret"


def test_every_tar_program_reads_it(export: Path) -> None:
    with tarfile.open(export) as tar:
        assert tar.getnames() == ["Default", "Default/Cookies"]
    listed = subprocess.run(["tar", "-tf", export], capture_output=True, text=True, check=True)
    assert (listed.stdout, listed.stderr) == ("Default/\nDefault/Cookies\n", "")


def test_a_flipped_bit_a_missing_end_and_more_bytes_are_noticed(export: Path) -> None:
    data = export.read_bytes()
    changed = bytearray(data)
    changed[-2000] ^= 1
    for wrong in (bytes(changed), data[:-1], data + b"x"):
        assert "changed or cut" in refused(wrong)


def test_what_is_no_export_is_named(export: Path) -> None:
    data = export.read_bytes()
    for wrong in (b"", data[:600], data[1536:], data.replace(b'{"tenant_id":', b'{"tenant_ID":')):
        assert "is no export" in refused(wrong)
    assert "bytes" in refused(data.replace(b'"bytes":', b'"bytes":-', 1).replace(b" \n", b"\n", 1))
    assert "schema 2" in refused(data.replace(b'"schema":1', b'"schema":2'))


def test_an_export_that_fails_leaves_no_file_and_none_is_overwritten(export: Path, tmp_path: Path) -> None:
    new = tmp_path / "new.tar"
    with pytest.raises(ProfileTooLarge):
        write_export(new, HEAD, lambda tar: packed(tmp_path / "profile", tar, FolderSize(1, 1)))
    assert not new.exists()
    before = export.read_bytes()
    new.symlink_to(export)
    for taken in (export, new):
        with pytest.raises(FileExistsError):
            write_export(taken, HEAD, lambda tar: tar.write(b""))
    assert export.read_bytes() == before
    assert new.is_symlink()

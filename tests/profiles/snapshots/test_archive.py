"""What of a folder comes into an archive, and what of a hostile archive comes onto the disk: files and folders only."""

import io
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pageworker_profiles.errors import ProfileTampered, ProfileTooLarge, SnapshotTampered
from pageworker_profiles.sizes import FolderSize
from pageworker_profiles.snapshots import archive

MOST = FolderSize(100, 10_000_000)


@contextmanager
def descriptor(folder: Path) -> Iterator[int]:
    found = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield found
    finally:
        os.close(found)


def packed(folder: Path, most: FolderSize = MOST) -> bytes:
    target = io.BytesIO()
    with descriptor(folder) as top:
        archive.pack(top, target, most)
    return target.getvalue()


def unpacked(data: bytes, folder: Path, most: FolderSize = MOST) -> FolderSize:
    folder.mkdir()
    with descriptor(folder) as top:
        return archive.unpack(io.BytesIO(data), top, most)


def content(folder: Path) -> dict[str, bytes | None]:
    """Each path below the folder, and what a file holds."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() and not path.is_symlink() else None
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    here = tmp_path / "here"
    (here / "Default/Local Storage/leveldb").mkdir(parents=True)
    (here / "Default/Cookies").write_bytes(os.urandom(100_000))
    (here / "Default/Local Storage/leveldb/000003.log").write_bytes(b"")
    (here / "Default" / ("long-" * 40 + "ü")).write_bytes(b"long")
    (here / os.fsdecode(b"not-utf8-\xff")).write_bytes(b"odd")
    (here / "Default/Cache/Cache_Data").mkdir(parents=True)
    (here / "Default/Cache/Cache_Data/data_1").write_bytes(bytes(1000))
    return here


def test_a_folder_comes_back_as_it_was_without_its_caches(folder: Path, tmp_path: Path) -> None:
    kept = {path: data for path, data in content(folder).items() if not path.startswith("Default/Cache")}
    size = unpacked(packed(folder), tmp_path / "there")
    assert content(tmp_path / "there") == kept
    assert size.files == len(kept)
    assert (tmp_path / "there/Default/Cookies").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"", b"a few bytes", bytes(1_000_000)], ids=["empty", "small", "large"])
def test_an_unpacked_file_is_older_than_any_checkpoint(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "from").mkdir()
    (tmp_path / "from/000003.log").write_bytes(content)
    unpacked(packed(tmp_path / "from"), tmp_path / "to")
    assert (tmp_path / "to/000003.log").stat().st_mtime == 0


@pytest.mark.parametrize("files", range(21))
def test_an_archive_of_any_length_is_read_to_its_end(files: int, tmp_path: Path) -> None:
    """A tar has records of 20 blocks. An empty file is one block, so that the two blocks at the end stand anywhere."""
    (tmp_path / "from").mkdir()
    for number in range(files):
        (tmp_path / "from" / str(number)).touch()
    source = io.BytesIO(packed(tmp_path / "from"))
    (tmp_path / "to").mkdir()
    with descriptor(tmp_path / "to") as top:
        assert archive.unpack(source, top, MOST).files == files
    assert source.read() == b""


@pytest.mark.parametrize("more", [b"x", bytes(20_000), bytes(600) + b"x"])
@pytest.mark.parametrize("files", [1, 19])
def test_what_follows_an_archive_is_refused(files: int, more: bytes, tmp_path: Path) -> None:
    (tmp_path / "from").mkdir()
    for number in range(files):
        (tmp_path / "from" / str(number)).touch()
    with pytest.raises(SnapshotTampered, match="after its end"):
        unpacked(packed(tmp_path / "from") + more, tmp_path / "to")


def test_what_is_no_file_or_folder_is_left_out(folder: Path, tmp_path: Path) -> None:
    kept = {path: data for path, data in content(folder).items() if not path.startswith("Default/Cache")}
    (folder / "link").symlink_to("/etc/passwd")
    (folder / "Default/up").symlink_to("../..")
    os.mkfifo(folder / "pipe")
    unpacked(packed(folder), tmp_path / "there")
    assert content(tmp_path / "there") == kept


def test_a_mode_that_keeps_its_owner_out_does_not_hide_a_file(folder: Path, tmp_path: Path) -> None:
    (folder / "Default/Cookies").chmod(0)
    (folder / "Default/Local Storage").chmod(0)
    unpacked(packed(folder), tmp_path / "there")
    assert (tmp_path / "there/Default/Cookies").stat().st_size == 100_000
    assert (tmp_path / "there/Default/Local Storage/leveldb/000003.log").exists()


def test_a_hard_link_is_refused(folder: Path) -> None:
    (folder / "other").hardlink_to(folder / "Default/Cookies")
    with pytest.raises(ProfileTampered, match="hard links"):
        packed(folder)


def test_too_deep_too_many_and_too_large_are_refused(folder: Path) -> None:
    with pytest.raises(ProfileTooLarge, match=r"profiles\.max_files"):
        packed(folder, FolderSize(4, 10**9))
    # On disk it needs nothing: in a snapshot it would.
    with (folder / "sparse").open("wb") as file:
        file.truncate(10**12)
    with pytest.raises(ProfileTooLarge, match=r"profiles\.max_bytes"):
        packed(folder)
    (folder / "sparse").unlink()
    deep = folder
    for _ in range(70):
        deep /= "d"
    deep.mkdir(parents=True)
    with pytest.raises(ProfileTampered, match="levels"):
        packed(folder)


def tar(*members: tuple[str, dict[str, Any], bytes]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.GNU_FORMAT) as made:
        for name, fields, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for field, value in fields.items():
                setattr(info, field, value)
            made.addfile(info, io.BytesIO(data))
    return target.getvalue()


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ([("../x", {}, b"x")], "has a file"),
        ([("/x", {}, b"x")], "has a file"),
        ([("a/../../x", {}, b"x")], "has a file"),
        ([("./x", {}, b"x")], "has a file"),
        ([("/".join("d" * 70), {}, b"x")], "has a file"),
        ([("x", {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}, b"")], "neither a file"),
        ([("x", {"type": tarfile.LNKTYPE, "linkname": "y"}, b"")], "neither a file"),
        ([("x", {"type": tarfile.CHRTYPE}, b"")], "neither a file"),
        ([("x", {"type": tarfile.FIFOTYPE}, b"")], "neither a file"),
        ([("x", {"type": tarfile.GNUTYPE_SPARSE}, b"")], "neither a file|damaged"),
        ([("x", {}, b"1"), ("x", {}, b"2")], "twice"),
        ([("a/x", {}, b"1")], "before its folder"),
        ([("a", {}, b"1"), ("a/x", {}, b"2")], "before its folder"),
    ],
)
def test_a_hostile_archive_is_refused_and_nothing_is_written_outside(
    tmp_path: Path, members: list[tuple[str, dict[str, Any], bytes]], why: str
) -> None:
    with pytest.raises(SnapshotTampered, match=why):
        unpacked(tar(*members), tmp_path / "there")
    assert {path.name for path in tmp_path.iterdir()} == {"there"}


def test_an_archive_with_more_than_a_profile_may_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProfileTooLarge):
        unpacked(tar(("x", {}, bytes(1000))), tmp_path / "bytes", FolderSize(10, 999))
    with pytest.raises(ProfileTooLarge):
        unpacked(tar(("x", {}, b""), ("y", {}, b"")), tmp_path / "files", FolderSize(1, 999))


def test_an_archive_that_is_cut_or_garbage_is_refused(tmp_path: Path) -> None:
    whole = tar(("x", {}, bytes(5000)))
    for number, data in enumerate((whole[:600], whole[:100], b"x" * 2000)):
        with pytest.raises(SnapshotTampered):
            unpacked(data, tmp_path / str(number))

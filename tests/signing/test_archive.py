"""Bundles as zips: one form only, within limits."""

import hashlib
import io
import random
import stat
import struct
import zipfile
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_sandbox.signing import LIMITS, BundleMalformed, SigningLimits
from pageworker_sandbox.signing.archive import name_rule, read_archive, write_archive

FILES = {"b.txt": b"bee", "a/b.py": b"x = 1\n", "empty": b""}
NAMES = st.from_regex(r"\A[a-z0-9_]{1,5}(/[A-Za-z0-9_]{1,5}){0,3}\Z")


@given(st.dictionaries(NAMES, st.binary(max_size=300), max_size=8))
def test_what_is_written_is_read(files: dict[str, bytes]) -> None:
    assert read_archive(write_archive(files)) == files


def test_order_does_not_matter_and_the_bytes_are_these() -> None:
    archive = write_archive(FILES)
    assert write_archive(dict(reversed(FILES.items()))) == archive
    # Written down, so that another machine or Python that made other bytes would be noticed.
    assert hashlib.sha256(archive).hexdigest() == "f27e460b7f70b7ba2e22258096fecf0bcdedb74f1b7691ed323dcc0c8437268c"


def test_other_programs_can_read_it() -> None:
    with zipfile.ZipFile(io.BytesIO(write_archive(FILES))) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["a/b.py", "b.txt", "empty"]
        assert archive.getinfo("b.txt").date_time == (1980, 1, 1, 0, 0, 0)
        assert stat.filemode(archive.getinfo("b.txt").external_attr >> 16) == "-rw-r--r--"


def zipped(compression: int = zipfile.ZIP_STORED, names: tuple[str, ...] = ("a.py",), comment: bytes = b"") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), b"x" * 1000, compression)
        archive.comment = comment
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK",
        b"not a zip at all",
        zipped(),
        zipped(zipfile.ZIP_DEFLATED),
        zipped(names=("../a.py",)),
        zipped(names=("/etc/passwd",)),
        zipped(names=("a\\b",)),
        zipped(comment=b"hello"),
        b"#!/bin/sh\n" + write_archive(FILES),
        write_archive(FILES) + b"\0",
        write_archive(FILES)[:-1],
        write_archive(FILES) + write_archive(FILES),
    ],
)
def test_any_other_form_is_refused(data: bytes) -> None:
    with pytest.raises(BundleMalformed):
        read_archive(data)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_files_of_one_name_are_refused() -> None:
    with pytest.raises(BundleMalformed):
        read_archive(zipped(names=("a.py", "a.py")))


def test_a_local_header_that_tells_another_name_is_refused() -> None:
    archive = bytearray(write_archive({"good.py": b"1", "zzzz.py": b"2"}))
    at = archive.index(b"good.py")
    archive[at : at + 7] = b"evil.py"
    with pytest.raises(BundleMalformed):
        read_archive(bytes(archive))


def test_an_entry_that_begins_beyond_all_numbers_is_refused() -> None:
    data = bytearray(write_archive(FILES))
    entry, beyond = data.index(b"PK\1\2"), struct.pack("<HHQ", 1, 8, 2**64 - 1)
    (name,) = struct.unpack_from("<H", data, entry + 28)
    struct.pack_into("<H", data, entry + 30, len(beyond))
    struct.pack_into("<I", data, entry + 42, 0xFFFFFFFF)
    data[entry + 46 + name : entry + 46 + name] = beyond
    end = data.index(b"PK\5\6")
    struct.pack_into("<I", data, end + 12, end - entry)
    with pytest.raises(BundleMalformed, match="not a valid zip"):
        read_archive(bytes(data))


def test_entries_that_overlap_are_refused_before_they_are_read() -> None:
    archive = bytearray(write_archive({"a": b"x" * 4000, "b": b"", "c": b""}))
    first = archive.index(b"PK\1\2")
    for start in (archive.index(b"PK\1\2", first + 1), archive.rindex(b"PK\1\2")):
        struct.pack_into("<2I", archive, start + 20, 4000, 4000)
        struct.pack_into("<I", archive, start + 42, 0)
    with pytest.raises(BundleMalformed, match="larger than the file itself"):
        read_archive(bytes(archive))


@pytest.mark.parametrize(
    "limits",
    [
        replace(LIMITS, bundle_bytes=100),
        replace(LIMITS, file_bytes=2),
        replace(LIMITS, files=2),
        replace(LIMITS, name_characters=4),
        replace(LIMITS, name_depth=1),
    ],
)
def test_limits(limits: SigningLimits) -> None:
    with pytest.raises(BundleMalformed):
        read_archive(write_archive(FILES), limits)


@pytest.mark.parametrize(
    "name", ["", "/a", "a/", "a//b", "../a", "a/../b", ".hidden", "a/.git/x", "a.", "a ", "a\nb", "a\0b", "ä", "C:/x"]
)
def test_names_that_are_refused(name: str) -> None:
    assert name_rule(name)


def test_random_bytes_never_do_worse_than_being_refused() -> None:
    dice, archive = random.Random(7), write_archive(FILES)
    for _ in range(3000):
        broken = bytearray(archive)
        for _ in range(dice.randint(1, 4)):
            broken[dice.randrange(len(broken))] = dice.randrange(256)
        if bytes(broken) != archive:
            try:
                assert write_archive(read_archive(bytes(broken))) == broken
            except BundleMalformed:
                continue

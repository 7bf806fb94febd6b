"""Which folders of LevelDB are damaged. tests/profiles/test_content_check.py has one of a real browser's form."""

import pytest

from pageworker_profiles.leveldb_check import (
    FOOTER_BYTES,
    FOOTER_MAGIC,
    current_fault,
    is_table,
    manifest_fault,
    manifest_name,
    table_fault,
)

FOOTER = bytes(FOOTER_BYTES - len(FOOTER_MAGIC)) + FOOTER_MAGIC
FULL_RECORD = b"\x01\x02\x03\x04\x1c\x00\x01"


def test_an_intact_folder_passes() -> None:
    assert manifest_name(b"MANIFEST-000001\n") == "MANIFEST-000001"
    assert current_fault(b"MANIFEST-000001\n", {"CURRENT", "MANIFEST-000001"}) is None
    assert manifest_fault(FULL_RECORD) is None
    assert table_fault(FOOTER) is None


@pytest.mark.parametrize("current", [b"", b"MANIFEST-000001", b"MANIFEST-\n", b"../MANIFEST-1\n", b"MANIFEST-1\nx"])
def test_a_current_that_names_no_manifest_is_damaged(current: bytes) -> None:
    assert current_fault(current, {"MANIFEST-000001", "MANIFEST-1"}) == "it names no manifest"


def test_a_manifest_must_be_there_and_begin_with_a_record() -> None:
    assert current_fault(b"MANIFEST-000002\n", {"MANIFEST-000001"}) == "it names MANIFEST-000002, which is missing"
    assert manifest_fault(b"") == "it is cut"
    for begin in (bytes(7), FULL_RECORD[:6] + b"\x03", FULL_RECORD[:4] + b"\x00\x00\x01"):
        assert manifest_fault(begin) == "it does not begin with a record"


def test_a_table_ends_with_its_magic_number() -> None:
    assert [is_table(name) for name in ("000005.ldb", "000005.sst", "000003.log", "LOCK")] == [True, True, False, False]
    assert table_fault(FOOTER[1:]) == "it is cut"
    assert table_fault(FOOTER[:-1] + b"\x00") == "its end is not that of a table"

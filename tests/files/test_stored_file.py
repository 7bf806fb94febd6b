"""The description that an upload begins with."""

import pytest
from msgspec import structs

from pageworker_supervisor.files.stored_file import (
    HEADER_BYTES,
    HeaderUnreadable,
    StoredFile,
    expiry_of,
    header_of,
    key_of,
    new_file_id,
    parse_header,
)

ID = "f_1796000000_" + "a" * 32
FILE = StoredFile(
    file_id=ID,
    tenant_id="acme",
    name="ä" * 128,
    sha256="0" * 64,
    bytes=5,
    content_type="application/pdf",
    expires_at=1_796_000_000,
)


def test_an_id_says_when_it_expires() -> None:
    file_id = new_file_id(1_796_000_000.9)
    assert (expiry_of(file_id), new_file_id(1_796_000_000.9) == file_id) == (1_796_000_000, False)
    assert [expiry_of(text) for text in ("", "f_1796000000", f"{ID}\n", f"../{ID}", f"{ID}#1")] == [None] * 5
    assert key_of("acme", ID) == f"acme/{ID}"


def test_a_header_is_read_as_it_was_written() -> None:
    header = header_of(FILE)
    assert (len(header), header[-1:]) == (HEADER_BYTES, b"\n")
    assert parse_header(header, "acme", ID) == FILE


@pytest.mark.parametrize("header", [b"", b"\xff" * HEADER_BYTES, b"{}", b"x" * HEADER_BYTES])
def test_something_else_is_no_header(header: bytes) -> None:
    with pytest.raises(HeaderUnreadable):
        parse_header(header, "acme", ID)


def test_an_upload_of_another_tenant_or_id_is_not_taken() -> None:
    """An operator may have copied the object."""
    for tenant_id, file_id in (("beta", ID), ("acme", ID[:-1] + "b")):
        with pytest.raises(HeaderUnreadable):
            parse_header(header_of(FILE), tenant_id, file_id)
    with pytest.raises(HeaderUnreadable):
        parse_header(header_of(structs.replace(FILE, expires_at=1_900_000_000)), "acme", ID)

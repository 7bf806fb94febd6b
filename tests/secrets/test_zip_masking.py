"""Zip files without secrets, also those of a hostile runner."""

import io
import zipfile

import pytest

from pageworker_supervisor.secrets import zip_masking
from pageworker_supervisor.secrets.masker import SecretMasker
from pageworker_supervisor.secrets.zip_masking import ZipNotMaskable, is_zip, masked_zip

SECRET = "correct-horse"
MASKER = SecretMasker()
MASKER.add("login", SECRET)


def packed(method: int = zipfile.ZIP_DEFLATED, **entries: bytes | str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file:
        for name, content in entries.items():
            file.writestr(name, content)
    return out.getvalue()


def unpacked(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        assert file.testzip() is None
        return {name: file.read(name) for name in file.namelist()}


def test_a_zip_file_is_known_by_its_beginning() -> None:
    assert is_zip(packed(a=b""))
    assert is_zip(packed())
    assert not is_zip(b"GIF89a" + packed(a=b""))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_file_is_masked_inside(method: int) -> None:
    data = packed(method, trace=f'{{"value": "{SECRET}"}}', other=b"\x00\x01", **{f"res/{SECRET}.txt": b"x"})
    masked = masked_zip(data, MASKER)
    assert unpacked(masked) == {
        "trace": b'{"value": "(secret login)"}',
        "other": b"\x00\x01",
        "res/(secret login).txt": b"x",
    }
    assert SECRET.encode() not in masked


def test_a_zip_file_without_a_secret_stays_as_it_is() -> None:
    data = packed(a=b"1", b=b"2")
    assert masked_zip(data, MASKER) is data


def test_a_secret_between_the_entries_is_not_kept() -> None:
    data = packed(a=b"1")
    with_comment = io.BytesIO(data)
    with zipfile.ZipFile(with_comment, "a") as file:
        file.comment = SECRET.encode()
    masked = masked_zip(with_comment.getvalue(), MASKER)
    assert SECRET.encode() not in masked
    assert unpacked(masked) == {"a": b"1"}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"PK\x03\x04" + SECRET.encode(), "no valid zip file"),
        (packed(a=SECRET)[:-10], "no valid zip file"),
        (packed(inner=packed(a=SECRET)), "a zip file itself"),
        (packed(zipfile.ZIP_LZMA, a=SECRET), "method 14"),
        (packed(zipfile.ZIP_BZIP2, a=SECRET), "method 12"),
    ],
)
def test_what_cannot_be_masked_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(ZipNotMaskable, match=why) as caught:
        masked_zip(data, MASKER)
    assert SECRET not in str(caught.value)


def test_a_zip_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_masking, "MAX_UNPACKED_BYTES", 5_000_000)
    with pytest.raises(ZipNotMaskable, match="more than 5000000 bytes"):
        masked_zip(packed(a=bytes(3_000_000), b=bytes(3_000_000)), MASKER)


def test_a_zip_file_with_countless_entries_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_masking, "MAX_ENTRIES", 3)
    with pytest.raises(ZipNotMaskable, match="4 entries"):
        masked_zip(packed(a=b"", b=b"", c=b"", d=b""), MASKER)


def test_a_damaged_entry_costs_the_artifact_and_not_the_worker() -> None:
    data = bytearray(packed(zipfile.ZIP_STORED, a=b"some content of the entry"))
    data[data.index(b"some content")] ^= 0xFF
    with pytest.raises(ZipNotMaskable, match="no valid zip file"):
        masked_zip(bytes(data), MASKER)

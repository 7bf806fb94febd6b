"""Masks secrets inside the entries of a zip file: Playwright's traces are such files. Pure.

Zip files of a runner are untrusted: what is unpacked of them has a limit. One that cannot be masked is not stored.
"""

import io
import zipfile
import zlib

from pageworker_supervisor.secrets.masker import SecretMasker

MAX_UNPACKED_BYTES = 256 * 1024 * 1024
MAX_ENTRIES = 20_000
ZIP_START = b"PK\x03\x04"
ZIP_END = b"PK\x05\x06"
METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
CHUNK_BYTES = 1024 * 1024


class ZipNotMaskable(Exception):
    """Why a zip file cannot be masked. The text holds nothing of the file."""


def is_zip(untrusted_data: bytes) -> bool:
    """Whether data begins as a zip file. Zip bytes at the end of other data are masked as bytes."""
    return untrusted_data.startswith((ZIP_START, ZIP_END))


def masked_zip(untrusted_data: bytes, masker: SecretMasker) -> bytes:
    """The same file without the masker's secrets, unchanged if it has none. Raises ZipNotMaskable."""
    try:
        return _masked(untrusted_data, masker)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, ValueError, OSError) as error:
        raise ZipNotMaskable(f"it is no valid zip file: {type(error).__name__}") from error


def _masked(untrusted_data: bytes, masker: SecretMasker) -> bytes:
    out = io.BytesIO()
    changed = False
    left = MAX_UNPACKED_BYTES
    with zipfile.ZipFile(io.BytesIO(untrusted_data)) as source, zipfile.ZipFile(out, "w") as target:
        entries = source.infolist()
        if len(entries) > MAX_ENTRIES:
            raise ZipNotMaskable(f"it has {len(entries)} entries, and at most {MAX_ENTRIES} are unpacked")
        for entry in entries:
            if entry.compress_type not in METHODS:
                raise ZipNotMaskable(f"an entry is compressed by method {entry.compress_type}, which is not unpacked")
            content = _unpacked(source, entry, left)
            left -= len(content)
            if content.startswith(ZIP_START):
                raise ZipNotMaskable("an entry of it is a zip file itself")
            name = masker.text(entry.filename, cut=False)
            masked = masker.data(content)
            changed = changed or name != entry.filename or masked is not content
            packed = zipfile.ZipInfo(name, entry.date_time)
            packed.compress_type = entry.compress_type
            target.writestr(packed, masked)
    # Bytes between and around the entries, such as comments, are not unpacked.
    if changed or masker.data(untrusted_data) is not untrusted_data:
        return out.getvalue()
    return untrusted_data


def _unpacked(source: zipfile.ZipFile, entry: zipfile.ZipInfo, most: int) -> bytes:
    """The entry's content. The size in its header is the runner's own claim, so the bytes are counted."""
    parts: list[bytes] = []
    size = 0
    with source.open(entry) as file:
        while part := file.read(CHUNK_BYTES):
            size += len(part)
            if size > most:
                raise ZipNotMaskable(f"it unpacks to more than {MAX_UNPACKED_BYTES} bytes")
            parts.append(part)
    return b"".join(parts)

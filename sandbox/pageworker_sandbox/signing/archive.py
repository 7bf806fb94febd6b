"""Reads and writes the bytes of bundles: zip files with exactly one form per set of files.

Entries are sorted, stored (deflate output depends on the version of zlib), dated 1980-01-01, with mode 0644 and without
extra fields, comments or gaps. Reading rebuilds the archive and compares the bytes. So a later reader of the same bytes
(zipimport of Python, unzip) cannot see other files than the ones checked here.
Format: PKWARE APPNOTE 6.3.10, sections 4.3.7, 4.3.12, 4.3.16.
"""

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Mapping

from pageworker_sandbox.signing.errors import BundleMalformed
from pageworker_sandbox.signing.limits import LIMITS, SigningLimits

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_VERSION, _MADE_BY_UNIX = 20, 3 << 8 | 20
_DATE_1980 = 1 << 5 | 1
_MODE = 0o100644 << 16
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+@=, -]*(?<![ .])")


def write_archive(files: Mapping[str, bytes]) -> bytes:
    """The bytes of the archive with these files. Names are `/`-separated. Check them with `name_rule` first."""
    body, directory = bytearray(), bytearray()
    for name in sorted(files):
        data, raw = files[name], name.encode("ascii")
        facts = (0, 0, 0, _DATE_1980, zlib.crc32(data), len(data), len(data), len(raw), 0)
        directory += _CENTRAL.pack(b"PK\1\2", _MADE_BY_UNIX, _VERSION, *facts, 0, 0, 0, _MODE, len(body)) + raw
        body += _LOCAL.pack(b"PK\3\4", _VERSION, *facts) + raw + data
    count = len(files)
    return bytes(body + directory) + _END.pack(b"PK\5\6", 0, 0, count, count, len(directory), len(body), 0)


def read_archive(untrusted_data: bytes, limits: SigningLimits = LIMITS) -> dict[str, bytes]:
    """The files in a bundle. Call it only after the signature has verified. Raises BundleMalformed."""
    if len(untrusted_data) > limits.bundle_bytes:
        raise BundleMalformed(f"a bundle has at most {limits.bundle_bytes} bytes, this one has {len(untrusted_data)}")
    try:
        with zipfile.ZipFile(io.BytesIO(untrusted_data)) as archive:
            entries = archive.infolist()
            _check_entries(entries, len(untrusted_data), limits)
            files = {entry.filename: archive.read(entry) for entry in entries}
    # What zipfile raises on hostile input. RuntimeError: encrypted, or an unknown format.
    except (zipfile.BadZipFile, EOFError, RuntimeError, ValueError, OSError, OverflowError) as error:
        raise BundleMalformed(f"not a valid zip file: {error}") from error
    if write_archive(files) != untrusted_data:
        raise BundleMalformed(
            "a zip file, but not by `workerctl module pack`: entries must be sorted and stored, without gaps"
        )
    return files


def name_rule(name: str, limits: SigningLimits = LIMITS) -> str | None:
    """What is wrong with the name of a file in a bundle. None if nothing is."""
    parts = name.split("/")
    if len(name) > limits.name_characters:
        return f"at most {limits.name_characters} characters in a name"
    if len(parts) > limits.name_depth:
        return f"at most {limits.name_depth} folders deep"
    if not all(_PART.fullmatch(part) for part in parts):
        return "only letters, digits and _.+@=, - in a name, without a dot or blank at either end"
    return None


def _check_entries(entries: list[zipfile.ZipInfo], length: int, limits: SigningLimits) -> None:
    if len(entries) > limits.files:
        raise BundleMalformed(f"a bundle has at most {limits.files} files, this one has {len(entries)}")
    for entry in entries:
        if rule := name_rule(entry.filename, limits):
            raise BundleMalformed(f"file {entry.filename[:100]!r}: {rule}")
        if entry.compress_type != zipfile.ZIP_STORED:
            raise BundleMalformed(f"file {entry.filename!r} is compressed: entries of a bundle are stored")
        if entry.file_size > limits.file_bytes:
            raise BundleMalformed(f"file {entry.filename!r} is larger than {limits.file_bytes} bytes")
    # Entries that overlap could unpack to far more than the archive holds.
    if sum(entry.file_size for entry in entries) > length:
        raise BundleMalformed("not a valid zip file: its files are larger than the file itself")

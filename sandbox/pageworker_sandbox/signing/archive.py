"""Bundles as bytes: a zip with exactly one form for a set of files, so the same files are the same bytes.

Entries are sorted, stored (a deflate stream would depend on the zlib that made it), dated 1980-01-01, mode 0644,
without extra fields, comments or gaps. Reading rebuilds the archive and compares, so whatever reads the same
bytes later (Python's zipimport, unzip) can not see other files in them than were checked here.
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
    """The one archive that holds these files. Names are `/`-separated; check them with `name_rule` first."""
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
        raise BundleMalformed(f"a bundle is at most {limits.bundle_bytes} bytes, this has {len(untrusted_data)}")
    try:
        with zipfile.ZipFile(io.BytesIO(untrusted_data)) as archive:
            entries = archive.infolist()
            _check_entries(entries, len(untrusted_data), limits)
            files = {entry.filename: archive.read(entry) for entry in entries}
    # What zipfile raises on hostile input. RuntimeError: encrypted, or made by a program that it does not understand.
    except (zipfile.BadZipFile, EOFError, RuntimeError, ValueError, OSError, OverflowError) as error:
        raise BundleMalformed(f"not a zip: {error}") from error
    if write_archive(files) != untrusted_data:
        raise BundleMalformed(
            "a zip, but not as `workerctl module pack` writes it: sorted, stored, nothing between or after"
        )
    return files


def name_rule(name: str, limits: SigningLimits = LIMITS) -> str | None:
    """What is wrong with a file name in a bundle, in words; None where nothing is."""
    parts = name.split("/")
    if len(name) > limits.name_characters:
        return f"a name is at most {limits.name_characters} characters"
    if len(parts) > limits.name_depth:
        return f"at most {limits.name_depth} folders deep"
    if not all(_PART.fullmatch(part) for part in parts):
        return "names are letters, digits and _.+@=, - without a dot or blank at either end"
    return None


def _check_entries(entries: list[zipfile.ZipInfo], length: int, limits: SigningLimits) -> None:
    if len(entries) > limits.files:
        raise BundleMalformed(f"a bundle has at most {limits.files} files, this has {len(entries)}")
    for entry in entries:
        if rule := name_rule(entry.filename, limits):
            raise BundleMalformed(f"file {entry.filename[:100]!r}: {rule}")
        if entry.compress_type != zipfile.ZIP_STORED:
            raise BundleMalformed(f"file {entry.filename!r} is compressed; bundles are stored")
        if entry.file_size > limits.file_bytes:
            raise BundleMalformed(f"file {entry.filename!r} is larger than {limits.file_bytes} bytes")
    # Entries that overlap could unpack to far more than the archive holds.
    if sum(entry.file_size for entry in entries) > length:
        raise BundleMalformed("not a zip: its files are larger than itself")

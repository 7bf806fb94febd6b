"""Whether the folder of a LevelDB database is intact: its list of files, and the end of each table. Pure.

The browser keeps local storage, session storage and IndexedDB in such folders.
Source: https://github.com/google/leveldb/blob/main/doc/impl.md, doc/table_format.md
"""

import re
from collections.abc import Collection

CURRENT = "CURRENT"
TABLES = (".ldb", ".sst")
FOOTER_BYTES = 48
FOOTER_MAGIC = bytes.fromhex("57fb808b247547db")
LOG_HEADER_BYTES = 7
MAX_CURRENT_BYTES = 64
_MANIFEST = re.compile(rb"(MANIFEST-[0-9]{1,20})\n")


def manifest_name(current: bytes) -> str | None:
    """The manifest that the content of CURRENT names; None: it names none."""
    found = _MANIFEST.fullmatch(current)
    return None if found is None else found[1].decode()


def current_fault(current: bytes, names: Collection[str]) -> str | None:
    """What is wrong with the content of CURRENT in a folder with these files; None: nothing."""
    manifest = manifest_name(current)
    if manifest is None:
        return "it names no manifest"
    return None if manifest in names else f"it names {manifest}, which is missing"


def manifest_fault(begin: bytes) -> str | None:
    """What is wrong with a manifest that begins with these bytes; None: nothing. It is a log of at least one record."""
    if len(begin) < LOG_HEADER_BYTES:
        return "it is cut"
    length = int.from_bytes(begin[4:6], "little")
    # Types: 1 is a full record, 2 the first part of one.
    return None if begin[6] in (1, 2) and length > 0 else "it does not begin with a record"


def is_table(name: str) -> bool:
    """Whether a file of this name is a table, which has a footer."""
    return name.endswith(TABLES)


def table_fault(end: bytes) -> str | None:
    """What is wrong with a table that ends with these bytes; None: nothing."""
    if len(end) < FOOTER_BYTES:
        return "it is cut"
    return None if end.endswith(FOOTER_MAGIC) else "its end is not that of a table"

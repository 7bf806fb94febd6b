"""Whether a SQLite file of a browser is intact. It works on a copy in memory, so nothing of it is written. Pure.

Source: https://www.sqlite.org/fileformat2.html, https://www.sqlite.org/pragma.html#pragma_quick_check
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing

MAGIC = b"SQLite format 3\0"
JOURNAL_MAGIC = bytes.fromhex("d9d505f920a163d7")
"""Of a journal that is still to be rolled back: without it, its database may be half written."""
HEADER_BYTES = 100
MAX_BYTES = 64 * 1024 * 1024
"""Of a database that is checked page by page. Of a larger one only header and length are."""
STEPS = 10_000
_UNREADABLE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_WAL_MODE, _JOURNAL_MODE = b"\x02\x02", b"\x01\x01"


def header_fault(header: bytes, size: int) -> str | None:
    """What is wrong with a file of `size` bytes that begins with these bytes; None: nothing, or it is empty."""
    if size == 0:
        return None
    if len(header) < HEADER_BYTES or not header.startswith(MAGIC):
        return "it does not begin as a SQLite database does"
    page = int.from_bytes(header[16:18], "big")
    page = 65536 if page == 1 else page
    if page < 512 or page & (page - 1):
        return f"its header names pages of {page} bytes"
    pages = int.from_bytes(header[28:32], "big")
    # The header's number counts only if the last writer was one that maintains it.
    if header[24:28] == header[92:96] and size < pages * page:
        return f"it is cut: {size} of {pages * page} bytes are there"
    return None


def content_fault(data: bytes, is_late: Callable[[], bool]) -> str | None:
    """What is wrong with the pages of a database; None: nothing, or it cannot be checked. Raises MemoryError.

    `is_late` is asked meanwhile: once it is true, the database counts as not checked.
    """
    # A database in memory has no write-ahead log. The two bytes only name the mode.
    if data[18:20] == _WAL_MODE:
        data = data[:18] + _JOURNAL_MODE + data[20:]
    with closing(sqlite3.connect(":memory:")) as database:
        database.set_progress_handler(is_late, STEPS)
        try:
            database.deserialize(data)
            # What a runner has put into the schema must not run here.
            database.execute("PRAGMA trusted_schema = off")
            first: str = database.execute("PRAGMA quick_check(1)").fetchone()[0]
        except sqlite3.Error as error:
            # Extended codes have the primary one in their low byte.
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            return str(error) if code in _UNREADABLE else None
    return None if first == "ok" else " ".join(first.split())

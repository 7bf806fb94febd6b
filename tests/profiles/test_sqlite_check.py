"""A damaged SQLite file is found, an intact one passes, and a check ends in time."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pageworker_profiles.sqlite_check import HEADER_BYTES, content_fault, header_fault

PAGE = 4096


def database(file: Path, rows: int = 200, mode: str = "delete") -> bytes:
    """One as a browser closes it. Its second page is that of a table."""
    with closing(sqlite3.connect(file)) as opened:
        opened.execute(f"PRAGMA journal_mode = {mode}")
        opened.execute(f"PRAGMA page_size = {PAGE}")
        opened.execute("CREATE TABLE cookies (name TEXT NOT NULL, value TEXT)")
        opened.executemany("INSERT INTO cookies VALUES (?, ?)", [(f"n{row}", "x" * 100) for row in range(rows)])
        opened.commit()
    return file.read_bytes()


def fault(data: bytes) -> str | None:
    """As content_check.py asks."""
    return header_fault(data[:HEADER_BYTES], len(data)) or content_fault(data, lambda: False)


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_an_intact_database_passes(tmp_path: Path, mode: str) -> None:
    assert fault(database(tmp_path / "Cookies", mode=mode)) is None


def test_an_empty_file_is_a_new_database() -> None:
    assert header_fault(b"", 0) is None


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda data: b"x" + data[1:], "does not begin as"),
        (lambda data: data[:50], "does not begin as"),
        (lambda data: bytes(len(data)), "does not begin as"),
        (lambda data: data[:16] + b"\x03\x00" + data[18:], "pages of 768 bytes"),
        (lambda data: data[: 2 * PAGE], "it is cut"),
        (lambda data: data[:PAGE] + b"\xff" * 8 + data[PAGE + 8 :], "Page 2"),
        (lambda data: data[:100] + b"\xff" * 8 + data[108:], "malformed"),
    ],
)
def test_a_damaged_database_is_found(tmp_path: Path, damage: object, expected: str) -> None:
    assert callable(damage)
    assert expected in (fault(damage(database(tmp_path / "Cookies"))) or "nothing")


def test_a_check_that_takes_too_long_ends_and_tells_nothing(tmp_path: Path) -> None:
    data = database(tmp_path / "History", rows=20_000)
    asked: list[bool] = []

    def is_late(late: bool) -> bool:
        asked.append(late)
        return late

    assert content_fault(data, lambda: is_late(False)) is None
    assert len(asked) > 2
    asked.clear()
    assert content_fault(data, lambda: is_late(True)) is None
    assert len(asked) == 1

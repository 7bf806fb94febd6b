"""A profile with a damaged database is refused, by a process that has given up its rights before it parses one."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from pageworker_profiles.content_check import MAX_FILES, CheckedContent, check
from pageworker_profiles.errors import ContentDamaged, FolderWorkerFailed
from pageworker_profiles.folder_calls import call_worker
from pageworker_profiles.leveldb_check import FOOTER_BYTES, FOOTER_MAGIC

STORAGE = "Default/Local Storage/leveldb"


def profile(data: Path) -> Path:
    """A folder as Chromium leaves it: two databases of SQLite, one of LevelDB."""
    storage = data / STORAGE
    storage.mkdir(parents=True)
    for name in ("Cookies", "DIPS"):
        with closing(sqlite3.connect(data / "Default" / name)) as database:
            database.execute("CREATE TABLE cookies (name TEXT, value TEXT)")
            database.executemany("INSERT INTO cookies VALUES (?, ?)", [("n", "x" * 100)] * 100)
            database.commit()
    (data / "Default/Cookies-journal").touch()
    (data / "Default/Preferences").write_text("{}")
    (storage / "CURRENT").write_text("MANIFEST-000001\n")
    (storage / "MANIFEST-000001").write_bytes(b"\x01\x02\x03\x04\x05\x00\x01hello")
    (storage / "000005.ldb").write_bytes(bytes(FOOTER_BYTES - len(FOOTER_MAGIC)) + FOOTER_MAGIC)
    (storage / "000003.log").touch()
    return data


def checked(data: Path) -> CheckedContent:
    """By a descriptor that only names the folder, as the lease has."""
    folder = os.open(data, os.O_PATH | os.O_DIRECTORY)
    try:
        return check(folder)
    finally:
        os.close(folder)


def overwrite(path: str, at: int, data: bytes) -> Callable[[Path], object]:
    def damage(folder: Path) -> None:
        file = (folder / path).open("r+b")
        with file:
            file.seek(at)
            file.write(data)

    return damage


def test_an_intact_profile_passes(tmp_path: Path) -> None:
    assert checked(profile(tmp_path / "data")) == CheckedContent(sqlite=2, leveldb=1)


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (overwrite("Default/Cookies", 4096, b"\xff" * 8), "Default/Cookies"),
        (overwrite("Default/Cookies", 0, bytes(16)), "Default/Cookies"),
        (overwrite("Default/DIPS", 4096, b"\xff" * 8), "Default/DIPS"),
        (lambda data: os.truncate(data / "Default/Cookies", 5000), "Default/Cookies"),
        (lambda data: (data / STORAGE / "MANIFEST-000001").unlink(), f"{STORAGE}/CURRENT"),
        (lambda data: (data / STORAGE / "CURRENT").write_text(""), f"{STORAGE}/CURRENT"),
        (lambda data: os.truncate(data / STORAGE / "MANIFEST-000001", 0), f"{STORAGE}/MANIFEST-000001"),
        (lambda data: os.truncate(data / STORAGE / "000005.ldb", 20), f"{STORAGE}/000005.ldb"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, damage: Callable[[Path], object], named: str) -> None:
    data = profile(tmp_path / "data")
    damage(data)
    with pytest.raises(ContentDamaged, match=named):
        checked(data)


@pytest.mark.parametrize(
    "path",
    [
        "Default/File System/000/t/00/00000001",
        "Default/IndexedDB/https_shop.example_0.indexeddb.blob/1/00/3",
        "Default/Service Worker/CacheStorage/ab/cd/ef_0",
        "Default/Service Worker/ScriptCache/ab_0",
        "Default/WebStorage/7/CacheStorage/ab/cd/ef_0",
        "Default/blob_storage/1/2",
    ],
)
def test_what_a_site_has_stored_is_no_database_of_the_browser(tmp_path: Path, path: str) -> None:
    """A site stores what it likes, also a half-written database of its own. It must not end the use of the profile."""
    file = profile(tmp_path / "data") / path
    file.parent.mkdir(parents=True)
    file.write_bytes(b"SQLite format 3\0 and nothing else")
    assert checked(tmp_path / "data") == CheckedContent(sqlite=2, leveldb=1)


def test_a_database_with_a_journal_is_not_judged_by_its_pages(tmp_path: Path) -> None:
    data = profile(tmp_path / "data")
    overwrite("Default/Cookies", 4096, b"\xff" * 8)(data)
    (data / "Default/Cookies-journal").write_bytes(bytes.fromhex("d9d505f920a163d7") + bytes(504))
    assert checked(data).sqlite == 2, "the browser rolls it back"


def test_what_a_runner_puts_there_is_neither_followed_nor_waited_for(tmp_path: Path) -> None:
    data = profile(tmp_path / "data")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/CURRENT").write_text("not of this profile")
    (data / "Default/link").symlink_to(tmp_path / "other")
    (data / "Default/History").symlink_to(tmp_path / "other/CURRENT")
    os.mkfifo(data / "Default/Web Data")
    (data / "Default/Login Data").mkdir()
    assert checked(data) == CheckedContent(sqlite=2, leveldb=1)


def test_the_number_of_files_is_bounded(tmp_path: Path) -> None:
    data = profile(tmp_path / "data")
    overwrite("Default/Cookies", 0, bytes(16))(data)
    first = data / "A"
    first.mkdir()
    for number in range(MAX_FILES + 1):
        (first / str(number)).touch()
    assert checked(data) == CheckedContent(sqlite=0, leveldb=0)


async def test_the_folder_worker_checks_a_profile(tmp_path: Path) -> None:
    data = profile(tmp_path / "data")
    if os.geteuid() == 0:
        os.chown(data, 261_500, 261_500)
    assert await call_worker("check", data, message={}) == {"sqlite": 2, "leveldb": 1}
    overwrite("Default/Cookies", 4096, b"\xff" * 8)(data)
    with pytest.raises(ContentDamaged, match="Default/Cookies"):
        await call_worker("check", data, message={})


CONFINED = """
import os, sys
from pathlib import Path
from pageworker_profiles.content_check import confine
folder = os.open(sys.argv[1], os.O_PATH)
confine(folder)
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(os.geteuid(), *(status[name].strip() for name in ("CapEff", "CapPrm", "NoNewPrivs")))
try:
    os.fork()
except OSError as error:
    print(error.strerror)
try:
    Path(sys.argv[1], "new").write_text("x")
except OSError as error:
    print(type(error).__name__)
"""


@pytest.mark.parametrize("owner", [0, 261_500])
def test_the_process_that_parses_has_no_rights(tmp_path: Path, owner: int) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    if os.geteuid() != 0:
        owner = os.geteuid()
    os.chown(folder, owner, owner)
    ran = subprocess.run(
        [sys.executable, "-c", CONFINED, str(folder)], capture_output=True, text=True, check=False, timeout=60
    )
    user, first, second = ran.stdout.splitlines() if ran.returncode == 0 else ["", "", ran.stderr]
    expected = 65534 if owner == 0 else owner
    assert user == f"{expected} 0000000000000000 0000000000000000 1"
    assert first == "Resource temporarily unavailable"
    assert second in ("PermissionError", "OSError")


def test_a_failed_worker_names_the_signal_that_ended_it() -> None:
    assert FolderWorkerFailed("x").signal is None

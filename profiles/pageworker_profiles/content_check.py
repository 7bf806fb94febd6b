"""Checks the browser's databases in a profile's folder, for the folder worker: a browser drops a damaged one silently,
with all logins in it.

A runner wrote the files. So they are opened without following a link, parsed in copies in memory, and the process that
parses them has no rights left by then: see `confine`.
"""

import ctypes
import os
import resource
import signal
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from pageworker_profiles import leveldb_check, sqlite_check, trees
from pageworker_profiles.errors import ContentDamaged
from pageworker_profiles.snapshots.caches import is_cache

DATABASES = frozenset({"Cookies", "History", "Login Data", "QuotaManager", "Trust Tokens", "Web Data"})
"""Files that are SQLite databases whatever they begin with."""
SITE_FOLDERS = frozenset({"File System", "CacheStorage", "ScriptCache", "WebStorage", "blob_storage"})
"""Where Chromium keeps bytes that sites have chosen, in files of their own: no database of these is Chromium's."""
BLOBS = ".blob"
"""End of the name of such a folder of IndexedDB."""
MAX_DEPTH = 6
"""Chromium's own databases are at most four levels below the top."""
MAX_FILES = 20_000
MAX_DATABASES = 200
"""SQLite files that are open at the same time."""
CPU_SECONDS = 20.0
"""For all databases of a profile. What takes longer counts as not checked: 64 MiB take less than a second."""
LIMITS = {
    resource.RLIMIT_AS: (768 * 1024 * 1024,) * 2,
    # The soft limit ends it by a signal of its own: what ends it so is the content.
    resource.RLIMIT_CPU: (60, 70),
    resource.RLIMIT_FSIZE: (0, 0),
    resource.RLIMIT_NPROC: (0, 0),
    resource.RLIMIT_CORE: (0, 0),
}
NO_USER = 65534
"""The kernel's own, to whom nothing belongs."""
CAPABILITY_VERSION_3 = 0x20080522
PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class CheckedContent(NamedTuple):
    """Databases that were checked: SQLite files, and folders of LevelDB."""

    sqlite: int
    leveldb: int


class _Database(NamedTuple):
    path: str
    file: int
    size: int
    written: bool
    """Whether its last change may still be in a journal beside it."""


def check(folder: int, before_parsing: Callable[[], None] = lambda: None) -> CheckedContent:
    """Check the databases below a folder (its descriptor). No browser runs. Raises ContentDamaged, OSError.

    `before_parsing` is called when all files are open and none has been parsed. A profile with more files than
    MAX_FILES is checked in part.
    """
    databases: list[_Database] = []
    try:
        leveldb = _walk(folder, databases)
        before_parsing()
        until = time.process_time() + CPU_SECONDS
        for database in databases:
            _check_sqlite(database, lambda: time.process_time() > until)
        return CheckedContent(len(databases), leveldb)
    finally:
        for database in databases:
            os.close(database.file)


def confine(folder: int) -> None:
    """Give up what this process may do: it keeps its open files, and can change none. It cannot be undone.

    From now on it is the user that owns the folder (its descriptor), never root, and has no capability. Raises OSError.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    owner = os.fstat(folder)
    if owner.st_uid != os.geteuid():
        _become(owner.st_uid, owner.st_gid)
    elif owner.st_uid == 0:
        # In a user namespace without that user it stays who it is.
        with suppress(OSError):
            _become(NO_USER, NO_USER)
    # Not by the change of the user: in a user namespace the daemon's user is not root, and has capabilities.
    none = (ctypes.c_uint32 * 6)()
    if libc.capset((ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0), none) != 0:
        raise OSError(ctypes.get_errno(), "capset")
    # The change of the user has cleared the signal at the parent's end. Source: PR_SET_PDEATHSIG(2const)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    for limit, most in LIMITS.items():
        resource.setrlimit(limit, most)


def _become(uid: int, gid: int) -> None:
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


def _walk(top: int, databases: list[_Database]) -> int:
    """Check the folders of LevelDB below `top`, and open the SQLite files. Returns the number of those folders."""
    found = files = 0
    for folder, above, names in _folders(top):
        files += len(names)
        if files > MAX_FILES:
            break
        if leveldb_check.CURRENT in names:
            found += 1
            _check_leveldb(folder, above, names)
            continue
        for name in () if _holds_bytes_of_sites(above) else sorted(names):
            if len(databases) < MAX_DATABASES and (file := _open_file(folder, name)) is not None:
                if name in DATABASES or os.pread(file, len(sqlite_check.MAGIC), 0) == sqlite_check.MAGIC:
                    databases.append(_Database(above + name, file, os.fstat(file).st_size, _journal(folder, name)))
                else:
                    os.close(file)
    return found


def _holds_bytes_of_sites(path: str) -> bool:
    """Whether files in this folder hold what a site has chosen. It may choose what a database begins with."""
    return any(name in SITE_FOLDERS or name.endswith(BLOBS) for name in path.split("/"))


def _folders(top: int) -> Iterator[tuple[int, str, set[str]]]:
    """Descriptor, path and names of each folder, without caches."""
    waiting = [""]
    while waiting:
        above = waiting.pop()
        with suppress(FileNotFoundError), _opened(top, above) as folder:
            with os.scandir(folder) as entries:
                kinds = {entry.name: entry.is_dir(follow_symlinks=False) for entry in entries}
            yield folder, above, {name for name, is_folder in kinds.items() if not is_folder}
            if above.count("/") < MAX_DEPTH:
                inner = [above + name for name, is_folder in kinds.items() if is_folder]
                waiting += [f"{path}/" for path in sorted(inner, reverse=True) if not is_cache(path)]


@contextmanager
def _opened(top: int, path: str) -> Iterator[int]:
    """The folder at a path below `top`. Raises FileNotFoundError: there is none, or a link is on the way to it."""
    folder = os.dup(top)
    try:
        for name in path.split("/")[:-1]:
            inner = trees.open_folder(folder, name)
            os.close(folder)
            folder = -1
            if inner is None:
                raise FileNotFoundError(path)
            folder = inner
        if not path:
            os.close(folder)
            # A descriptor of O_PATH cannot be listed.
            folder = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=top)
        yield folder
    finally:
        if folder != -1:
            os.close(folder)


def _open_file(folder: int, name: str) -> int | None:
    """A regular file of this name; None: it is something else, or its mode keeps its owner out."""
    try:
        file = os.open(name, _READ, dir_fd=folder)
    except OSError:
        return None
    if stat.S_ISREG(os.fstat(file).st_mode):
        return file
    os.close(file)
    return None


def _journal(folder: int, name: str) -> bool:
    """Whether a journal or a log of the database holds what the file itself does not."""
    journal, log = _begin(folder, f"{name}-journal", 8), _begin(folder, f"{name}-wal", 1)
    return journal == sqlite_check.JOURNAL_MAGIC or bool(log)


def _check_sqlite(database: _Database, is_late: Callable[[], bool]) -> None:
    header = os.pread(database.file, sqlite_check.HEADER_BYTES, 0)
    fault = sqlite_check.header_fault(header, database.size)
    if fault is None and not database.written and 0 < database.size <= sqlite_check.MAX_BYTES and not is_late():
        with suppress(MemoryError):
            fault = sqlite_check.content_fault(os.pread(database.file, database.size, 0), is_late)
    _refuse(database.path, fault)


def _check_leveldb(folder: int, above: str, names: set[str]) -> None:
    current = _begin(folder, leveldb_check.CURRENT, leveldb_check.MAX_CURRENT_BYTES) or b""
    _refuse(above + leveldb_check.CURRENT, leveldb_check.current_fault(current, names))
    manifest = leveldb_check.manifest_name(current) or ""
    begin = _begin(folder, manifest, leveldb_check.LOG_HEADER_BYTES) or b""
    _refuse(above + manifest, leveldb_check.manifest_fault(begin))
    for name in sorted(filter(leveldb_check.is_table, names)):
        _refuse(above + name, leveldb_check.table_fault(_end(folder, name, leveldb_check.FOOTER_BYTES)))


def _begin(folder: int, name: str, size: int) -> bytes | None:
    file = _open_file(folder, name)
    if file is None:
        return None
    try:
        return os.pread(file, size, 0)
    finally:
        os.close(file)


def _end(folder: int, name: str, size: int) -> bytes:
    file = _open_file(folder, name)
    if file is None:
        return b""
    try:
        return os.pread(file, size, max(0, os.fstat(file).st_size - size))
    finally:
        os.close(file)


def _refuse(path: str, fault: str | None) -> None:
    if fault is not None:
        raise ContentDamaged(f"{path[-200:]!r} is damaged: {fault[:200]}")

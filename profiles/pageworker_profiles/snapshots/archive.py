"""The inner layer of a container: a tar of regular files and folders, and nothing else.

Used by the folder worker alone. A runner wrote the files, so a name, a size and a type are hostile. What is no file or
folder is left out, and what could leave the folder is refused: at packing, and again at unpacking.
"""

import os
import stat
import tarfile
from typing import IO, Any, NoReturn

from pageworker_profiles import trees
from pageworker_profiles.errors import ProfileTampered, ProfileTooLarge, SnapshotTampered
from pageworker_profiles.sizes import FolderSize
from pageworker_profiles.snapshots.caches import is_cache

MAX_PATH_BYTES = 4096
COPY_BYTES = 256 * 1024
UNPACKED_AT = 0
"""Unix seconds: the time of each unpacked file. Every checkpoint must be newer, and the times in the archive come from
another host's clock."""
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_TAR: dict[str, Any] = {"format": tarfile.GNU_FORMAT, "encoding": "utf-8", "errors": "surrogateescape"}


class _Amount:
    """Counts files, and the bytes in them: a sparse file has more than it uses on disk."""

    def __init__(self, most: FolderSize) -> None:
        self._most = most
        self.files = self.bytes = 0

    def add(self, size: int) -> None:
        """Count a file or folder. Raises ProfileTooLarge."""
        self.files += 1
        self.bytes += size
        if self.files > self._most.files:
            self._refuse(self.files, self._most.files, "files")
        if self.bytes > self._most.bytes:
            self._refuse(self.bytes, self._most.bytes, "bytes")

    def _refuse(self, used: int, allowed: int, unit: Any) -> NoReturn:
        text = f"the profile has more than {allowed} {unit}: raise profiles.max_{unit}, or remove the profile"
        raise ProfileTooLarge(text, used, allowed, unit)


def pack(folder: int, target: IO[bytes], most: FolderSize) -> FolderSize:
    """Write the content of a folder as tar, without caches. `folder`: its descriptor. No browser runs.

    Raises ProfileTampered, ProfileTooLarge, OSError.
    """
    amount = _Amount(most)
    with tarfile.open(mode="w|", fileobj=target, **_TAR) as tar:
        _add_all(folder, "", tar, amount, 1)
    return FolderSize(amount.files, amount.bytes)


def unpack(source: IO[bytes], folder: int, most: FolderSize) -> FolderSize:
    """Fill a new, empty folder from a tar. Whatever the tar holds, nothing outside of the folder is written.

    Raises SnapshotTampered, ProfileTooLarge, OSError.
    """
    amount = _Amount(most)
    try:
        with tarfile.open(mode="r|", fileobj=source, **_TAR) as tar:
            for member in tar:
                amount.add(member.size if member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) else 0)
                _put(tar, member, folder)
        _read_end(source)
    except tarfile.TarError as error:
        raise SnapshotTampered(f"the archive is damaged: {error}") from error
    return FolderSize(amount.files, amount.bytes)


def _read_end(source: IO[bytes]) -> None:
    """Read what may follow the end of a tar. Raises SnapshotTampered if it is more.

    Two blocks of zeros are the end, and tarfile reads no further than the first one. With the second one a record may
    begin, which is filled with zeros: for one archive in twenty.
    """
    rest = source.read(tarfile.RECORDSIZE + 1)
    if len(rest) > tarfile.RECORDSIZE or any(rest):
        raise SnapshotTampered("the archive goes on after its end")


def check_path(path: str) -> None:
    """Raises SnapshotTampered for a path that may lead out of its folder, or that no profile has."""
    parts = path.split("/")
    if (
        any(part in ("", ".", "..") for part in parts)
        or "\0" in path
        or len(parts) > trees.MAX_DEPTH
        or len(path.encode("utf-8", "surrogateescape")) > MAX_PATH_BYTES
    ):
        raise SnapshotTampered(f"the archive has a file {path[:200]!r}")


def _add_all(folder: int, above: str, tar: tarfile.TarFile, amount: _Amount, depth: int) -> None:
    if depth > trees.MAX_DEPTH:
        raise ProfileTampered(f"more than {trees.MAX_DEPTH} levels of folders: quarantine the profile")
    for name in sorted(os.listdir(folder)):
        path = above + name
        if not is_cache(path):
            _add(folder, name, path, tar, amount, depth)


def _add(folder: int, name: str, path: str, tar: tarfile.TarFile, amount: _Amount, depth: int) -> None:
    mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    if stat.S_ISDIR(mode):
        inner = trees.open_folder(folder, name)
        if inner is None:
            return
        try:
            amount.add(0)
            tar.addfile(_member(path, tarfile.DIRTYPE, os.fstat(inner)))
            _add_all(inner, f"{path}/", tar, amount, depth + 1)
        finally:
            os.close(inner)
    elif stat.S_ISREG(mode):
        with os.fdopen(_open_file(folder, name), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
                raise ProfileTampered(f"{name!r} has several hard links, or is no file: quarantine the profile")
            amount.add(status.st_size)
            tar.addfile(_member(path, tarfile.REGTYPE, status), file)


def _member(path: str, type_: bytes, status: os.stat_result) -> tarfile.TarInfo:
    member = tarfile.TarInfo(path)
    member.type = type_
    member.size = status.st_size if type_ == tarfile.REGTYPE else 0
    member.mtime = max(0, int(status.st_mtime))
    return member


def _open_file(folder: int, name: str) -> int:
    try:
        return os.open(name, _READ, dir_fd=folder)
    except PermissionError:
        # A mode that keeps its owner out.
        pointer = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        os.chmod(f"/proc/self/fd/{pointer}", 0o600)  # noqa: PTH101 - a descriptor, not a path
    finally:
        os.close(pointer)
    return os.open(name, _READ, dir_fd=folder)


def _put(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: int) -> None:
    check_path(member.name)
    try:
        if member.type == tarfile.DIRTYPE:
            os.mkdir(member.name, 0o700, dir_fd=folder)
            return
        content = tar.extractfile(member) if member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) else None
        if content is None:
            raise SnapshotTampered(f"{member.name[:200]!r} in the archive is neither a file nor a folder")
        # No part of the path can be a link: the folder is new, and nothing here creates one.
        with os.fdopen(os.open(member.name, _NEW, 0o600, dir_fd=folder), "wb") as file:
            while data := content.read(COPY_BYTES):
                file.write(data)
            # Before the descriptor's times are set, or what is written at the closing would set them again.
            file.flush()
            os.utime(file.fileno(), (UNPACKED_AT, UNPACKED_AT))
    except (FileExistsError, FileNotFoundError, NotADirectoryError) as error:
        name = member.name[:200]
        raise SnapshotTampered(f"the archive has {name!r} twice, or before its folder") from error

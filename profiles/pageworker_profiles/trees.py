"""Walking, re-owning and removing folders that a hostile runner has written.

Everything goes by descriptors of folders and never through a symbolic link, so that no name planted in between
leads outside. Source: openat(2), symlink(7), O_PATH in open(2).
"""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pageworker_profiles.errors import ProfileTampered, ProfileTooLarge
from pageworker_profiles.sizes import MOST, FolderSize

MAX_DEPTH = 64
"""Chromium nests about ten folders; deeper ones are made to exhaust descriptors."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_POINTER = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


def reown(folder: Path, uid: int, gid: int, most: FolderSize = MOST) -> FolderSize:
    """Give the folder and all in it to `uid`. Raises ProfileTampered, ProfileTooLarge, OSError.

    The top goes first to us, so that nobody else is inside meanwhile, and last to `uid`: a folder that
    belongs to `uid` has been gone through to its end.
    """
    tally = _Tally(folder, most)
    with _opened(folder) as top:
        status = os.fstat(top)
        if (status.st_uid, status.st_gid) == (uid, gid) and stat.S_IMODE(status.st_mode) == 0o700:
            _visit(top, tally.add)
            return tally.size
        os.fchown(top, os.geteuid(), os.getegid())
        os.fchmod(top, 0o700)
        _visit(top, lambda parent, name: tally.count(_give(parent, name, uid, gid)))
        os.fchown(top, uid, gid)
    return tally.size


def measure(folder: Path, most: FolderSize = MOST) -> FolderSize:
    """How large the folder is; ends at the first breach. Raises ProfileTampered, ProfileTooLarge, OSError."""
    tally = _Tally(folder, most)
    with _opened(folder) as top:
        _visit(top, tally.add)
    return tally.size


class _Tally:
    """Counts what is visited, up to `most`."""

    def __init__(self, folder: Path, most: FolderSize) -> None:
        self._folder = folder
        self._most = most
        self._files = self._bytes = 0

    @property
    def size(self) -> FolderSize:
        """So far."""
        return FolderSize(self._files, self._bytes)

    def add(self, parent: int, name: str) -> None:
        """One more, which may be gone: a browser may be at work in the folder."""
        with suppress(FileNotFoundError):
            self.count(os.stat(name, dir_fd=parent, follow_symlinks=False))

    def count(self, status: os.stat_result) -> None:
        """One more."""
        self._files += 1
        self._bytes += status.st_blocks * 512
        for unit, used, allowed in (("files", self._files, self._most.files), ("bytes", self._bytes, self._most.bytes)):
            if used > allowed:
                raise ProfileTooLarge(
                    f"{self._folder} holds more than {allowed} {unit}",
                    used,
                    allowed,
                    "files" if unit == "files" else "bytes",
                )


def remove(folder: Path) -> None:
    """Remove the folder and all in it, however deep. Another may be removing it too. Raises OSError."""
    try:
        with _opened(folder) as top:
            while _flatten(top):
                pass
        folder.rmdir()
    except FileNotFoundError:
        return


def _flatten(top: int) -> bool:
    """Unlink the files in every folder of `top` and lift its folders up. True while there is more to do.

    So no more than three folders are open at once, whatever the depth.
    """
    names = _names(top)
    for name in names:
        if _unlink(top, name):
            with suppress(FileNotFoundError), _opened_at(top, name) as inner:
                for inside in _names(inner):
                    if _unlink(inner, inside):
                        _lift(inner, inside, top)
                os.rmdir(name, dir_fd=top)
    return bool(names)


def _unlink(parent: int, name: str) -> bool:
    """Remove a file; True where it is a folder and stays."""
    try:
        os.unlink(name, dir_fd=parent)
    except IsADirectoryError:
        return True
    except FileNotFoundError:
        pass
    return False


def _lift(inner: int, name: str, top: int) -> None:
    # A folder that moves to another parent is written to (its `..`): opening makes it ours to write.
    with suppress(FileNotFoundError), _opened_at(inner, name):
        os.rename(name, f"lifted-{os.urandom(8).hex()}", src_dir_fd=inner, dst_dir_fd=top)


def _give(parent: int, name: str, uid: int, gid: int) -> os.stat_result:
    descriptor = os.open(name, _POINTER, dir_fd=parent)
    try:
        status = os.fstat(descriptor)
        if stat.S_ISLNK(status.st_mode):
            os.chown(name, uid, gid, dir_fd=parent, follow_symlinks=False)
            return status
        if stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
            raise ProfileTampered(
                f"{name!r} is linked {status.st_nlink} times; another of its names may not be the profile's"
            )
        if stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
            raise ProfileTampered(f"{name!r} is a device")
        # Through /proc: fchown(2) does not take an O_PATH descriptor, and the name may have changed.
        this = f"/proc/self/fd/{descriptor}"
        os.chown(this, uid, gid)
        if status.st_mode & (stat.S_ISUID | stat.S_ISGID):
            Path(this).chmod(stat.S_IMODE(status.st_mode) & 0o777)
    finally:
        os.close(descriptor)
    return status


def _visit(top: int, act: Callable[[int, str], None]) -> None:
    """`act(parent, name)` on all below `top`, contents before their folder."""
    # Each level: its folder, the names left in it, and the name it has in the level above.
    levels = [(top, _names(top), "")]
    try:
        while levels:
            parent, names, own = levels[-1]
            if not names:
                levels.pop()
                if levels:
                    os.close(parent)
                    act(levels[-1][0], own)
                continue
            name = names.pop()
            if len(levels) > MAX_DEPTH:
                raise ProfileTampered(f"more than {MAX_DEPTH} levels of folders")
            try:
                inner = _open_folder(parent, name)
            except FileNotFoundError:
                continue  # a browser may be at work in it
            if inner is None:
                act(parent, name)
            else:
                levels.append((inner, _names(inner), name))
    finally:
        for descriptor, _, _ in levels[1:]:
            os.close(descriptor)


def _names(folder: int) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries]


def _open_folder(parent: int, name: str) -> int | None:
    """A descriptor of the folder of this name; None where it is no folder. What keeps its owner out is lifted."""
    try:
        return os.open(name, _FOLDER, dir_fd=parent)
    except NotADirectoryError:
        return None  # a symbolic link to a folder too: O_DIRECTORY comes before O_NOFOLLOW
    except PermissionError:
        pointer = os.open(name, _POINTER | os.O_DIRECTORY, dir_fd=parent)
    try:
        Path(f"/proc/self/fd/{pointer}").chmod(0o700)
    finally:
        os.close(pointer)
    return os.open(name, _FOLDER, dir_fd=parent)


@contextmanager
def _opened_at(parent: int, name: str) -> Iterator[int]:
    """A folder, made writable for us. Raises FileNotFoundError where there is none."""
    descriptor = _open_folder(parent, name)
    if descriptor is None:
        raise FileNotFoundError(name)
    try:
        os.fchmod(descriptor, 0o700)
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, _FOLDER)
    try:
        yield descriptor
    finally:
        os.close(descriptor)

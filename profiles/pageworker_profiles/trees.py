"""Walks, re-owns and removes folders that a hostile runner has written.

Every access uses a descriptor of the parent folder and follows no symbolic link. So a name that the runner swaps during
the walk cannot lead outside of the folder. Source: openat(2), symlink(7), O_PATH in open(2).
"""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pageworker_profiles.errors import ProfileTampered, ProfileTooLarge
from pageworker_profiles.sizes import MOST, FolderSize

MAX_DEPTH = 64
"""Chromium nests about ten folders. Much deeper ones are made to exhaust descriptors."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_POINTER = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


def reown(folder: Path, uid: int, gid: int, most: FolderSize = MOST, descriptor: int | None = None) -> FolderSize:
    """Give the folder and its content to `uid`. Raises ProfileTampered, ProfileTooLarge, OSError.

    With a descriptor of the folder (O_PATH), that folder is meant whatever is at its path by now.
    First the top folder becomes ours, so that no other user can enter it meanwhile. It becomes `uid`'s last. So a top
    folder that belongs to `uid` has been processed completely, and is only measured.
    """
    tally = _Tally(folder, most)
    with opened_folder(folder, descriptor) as top:
        status = os.fstat(top)
        if (status.st_uid, status.st_gid) == (uid, gid) and stat.S_IMODE(status.st_mode) == 0o700:
            _visit(top, tally.add)
            return tally.size
        os.fchown(top, os.geteuid(), os.getegid())
        os.fchmod(top, 0o700)
        _visit(top, lambda parent, name: tally.count(_give(parent, name, uid, gid)))
        os.fchown(top, uid, gid)
    return tally.size


def measure(folder: Path, most: FolderSize = MOST, descriptor: int | None = None) -> FolderSize:
    """Size of the folder. Ends as soon as a limit is exceeded. Raises ProfileTampered, ProfileTooLarge, OSError.

    `descriptor` as in `reown`.
    """
    tally = _Tally(folder, most)
    with opened_folder(folder, descriptor) as top:
        _visit(top, tally.add)
    return tally.size


class _Tally:
    """Counts the visited files and bytes, up to `most`."""

    def __init__(self, folder: Path, most: FolderSize) -> None:
        self._folder = folder
        self._most = most
        self._files = self._bytes = 0

    @property
    def size(self) -> FolderSize:
        """Counts so far."""
        return FolderSize(self._files, self._bytes)

    def add(self, parent: int, name: str) -> None:
        """Count a file. It may be gone already, because a browser may be using the folder."""
        with suppress(FileNotFoundError):
            self.count(os.stat(name, dir_fd=parent, follow_symlinks=False))

    def count(self, status: os.stat_result) -> None:
        """Count a file. Raises ProfileTooLarge."""
        self._files += 1
        self._bytes += status.st_blocks * 512
        for unit, used, allowed in (("files", self._files, self._most.files), ("bytes", self._bytes, self._most.bytes)):
            if used > allowed:
                raise ProfileTooLarge(
                    f"{self._folder} has more than {allowed} {unit}: raise profiles.max_{unit}, or remove the profile",
                    used,
                    allowed,
                    "files" if unit == "files" else "bytes",
                )


def remove(folder: Path) -> None:
    """Remove the folder and its content, of any depth. Another process may be removing it too. Raises OSError."""
    try:
        with opened_folder(folder) as top:
            while _flatten(top):
                pass
        folder.rmdir()
    except FileNotFoundError:
        return


def _flatten(top: int) -> bool:
    """In each folder of `top`, unlink the files and move the folders up to `top`. True while there is more to do.

    With this method no more than three folders are open at the same time, whatever the depth.
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
    """Remove a file. True: it is a folder, and stays."""
    try:
        os.unlink(name, dir_fd=parent)
    except IsADirectoryError:
        return True
    except FileNotFoundError:
        pass
    return False


def _lift(inner: int, name: str, top: int) -> None:
    # To move a folder, the kernel writes to it (its `..`), so it must be writable: _opened_at makes it so.
    with suppress(FileNotFoundError), _opened_at(inner, name):
        os.rename(name, f"lifted-{os.urandom(8).hex()}", src_dir_fd=inner, dst_dir_fd=top)


def _give(parent: int, name: str, uid: int, gid: int) -> os.stat_result:
    descriptor = os.open(name, _POINTER, dir_fd=parent)
    try:
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
            raise ProfileTampered(
                f"{name!r} has {status.st_nlink} hard links, perhaps outside of the profile: quarantine the profile"
            )
        if stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
            raise ProfileTampered(f"{name!r} is a device: quarantine the profile")
        # By way of /proc: fchown(2) accepts no O_PATH descriptor, and the name may refer to another file by now. The
        # path names what was opened, so a link is changed itself.
        this = f"/proc/self/fd/{descriptor}"
        os.chown(this, uid, gid)
        if status.st_mode & (stat.S_ISUID | stat.S_ISGID):
            Path(this).chmod(stat.S_IMODE(status.st_mode) & 0o777)
    finally:
        os.close(descriptor)
    return status


def _visit(top: int, act: Callable[[int, str], None]) -> None:
    """Call `act(parent, name)` for everything below `top`, the content of a folder before the folder."""
    # Each level: descriptor of the folder, names that are left in it, its own name in the level above.
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
                raise ProfileTampered(f"more than {MAX_DEPTH} levels of folders: quarantine the profile")
            try:
                inner = open_folder(parent, name)
            except FileNotFoundError:
                continue  # a browser may be using the folder
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


def open_folder(parent: int, name: str) -> int | None:
    """Open the folder of this name; None: it is no folder. A mode that keeps its owner out is changed to 0700."""
    try:
        return os.open(name, _FOLDER, dir_fd=parent)
    except NotADirectoryError:
        return None  # also for a symbolic link to a folder: the kernel checks O_DIRECTORY before O_NOFOLLOW
    except PermissionError:
        pointer = os.open(name, _POINTER | os.O_DIRECTORY, dir_fd=parent)
    try:
        Path(f"/proc/self/fd/{pointer}").chmod(0o700)
    finally:
        os.close(pointer)
    return os.open(name, _FOLDER, dir_fd=parent)


@contextmanager
def _opened_at(parent: int, name: str) -> Iterator[int]:
    """Open the folder of this name and make it writable. Raises FileNotFoundError if there is none."""
    descriptor = open_folder(parent, name)
    if descriptor is None:
        raise FileNotFoundError(name)
    try:
        os.fchmod(descriptor, 0o700)
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def opened_folder(folder: Path, descriptor: int | None = None) -> Iterator[int]:
    """A descriptor of the folder for the block. It is no link. `descriptor` as in `reown`. Raises OSError."""
    opened = os.open(folder, _FOLDER) if descriptor is None else os.open(".", _FOLDER, dir_fd=descriptor)
    try:
        yield opened
    finally:
        os.close(opened)

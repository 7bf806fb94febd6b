"""Gives the server's folder to the server's user.

    folder_owner.py NAMESPACE FOLDER USER GROUP

As root the daemon calls `give`. Otherwise it runs this script, in the user namespace of which NAMESPACE is an inherited
descriptor: there it may change owners among the namespace's users. GROUP is then the daemon's, which may enter FOLDER,
and so connect to the server's socket in it, and may read nothing.

This script runs by path with `python -I -S`, so that it starts in 10 ms. It imports nothing of pageworker.
"""

import ctypes
import os
import stat
import sys

CLONE_NEWUSER = 0x10000000
OWNER_ONLY = 0o700
GROUP_ENTERS = 0o710
"""Without set-group-id, by which the socket would get the daemon's group: units for systemd refuse that mode
(RestrictSUIDSGID= in systemd.exec(5))."""


class HardLinks(Exception):
    """A file has more than one name. The text says which."""


def main() -> None:
    """Exit status 0: done. 1: the text on stderr says why not."""
    namespace, folder, user, group = sys.argv[1:]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(int(namespace), CLONE_NEWUSER) != 0:
        sys.exit(f"setns: {os.strerror(ctypes.get_errno())}")
    try:
        give(folder, int(user), int(group), GROUP_ENTERS)
    except (OSError, HardLinks) as error:
        sys.exit(str(error))


def give(folder: str, user: int, group: int, mode: int) -> None:
    """Change the owner of the folder and of everything in it, and its mode. Raises HardLinks, OSError.

    Follows no link: the server's user may have created one.
    """
    for _, _, names, descriptor in os.fwalk(folder, follow_symlinks=False):
        _change_owner(".", descriptor, user, group)
        for name in names:
            _change_owner(name, descriptor, user, group)
    os.chmod(folder, mode, follow_symlinks=True)  # noqa: PTH101 - importing pathlib takes 8 ms


def _change_owner(name: str, folder: int, user: int, group: int) -> None:
    descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        found = os.fstat(descriptor)
        if (found.st_uid, found.st_gid) == (user, group):
            return
        if stat.S_ISREG(found.st_mode) and found.st_nlink > 1:
            raise HardLinks(f"{name} in the data folder's redis/data has {found.st_nlink} hard links")
        # By way of /proc: fchown(2) accepts no O_PATH descriptor, and the server's user may have put another file, such
        # as a hard link to one of the daemon's, in the place of this name since the check. A link is changed itself.
        os.chown(f"/proc/self/fd/{descriptor}", user, group)
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    main()

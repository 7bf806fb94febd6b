"""A file system of its own that can be full for a while. Only root can mount one."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

SIZE = "512m"
CHUNK_BYTES = 64 * 1024


class SmallDisk:
    """`folder` is on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def full(self) -> Iterator[None]:
        """Not a byte is left for the block."""
        filler = self.folder / "filler"
        try:
            with filler.open("wb", buffering=0) as file:
                left = os.statvfs(self.folder)
                with suppress(OSError):
                    os.posix_fallocate(file.fileno(), 0, left.f_bavail * left.f_frsize)
                with suppress(OSError):
                    file.seek(0, os.SEEK_END)
                    while file.write(bytes(CHUNK_BYTES)):
                        pass
            yield
        finally:
            filler.unlink(missing_ok=True)


@contextmanager
def small_disk() -> Iterator[SmallDisk | None]:
    """One for the block; None if we are not root."""
    if os.geteuid() != 0:
        yield None
        return
    with TemporaryDirectory(prefix="pw-chaos-disk-", ignore_cleanup_errors=True) as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=711", "none", folder], check=True)
        try:
            yield SmallDisk(Path(folder))
        finally:
            subprocess.run(["umount", "-l", folder], check=True)

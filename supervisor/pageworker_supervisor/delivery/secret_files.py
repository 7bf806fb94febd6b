"""Callback secrets from files, read again when they change."""

from pathlib import Path

Stamp = tuple[int, int, int]


class SecretUnreadable(Exception):
    """The file is missing or empty: a fault of the host. Retryable: the operator can put it back."""


class SecretFiles:
    """Secrets by path. A file is read again when its inode, size or modification time has changed."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[Stamp, bytes]] = {}

    def secret(self, path: Path) -> bytes:
        """The file's content without surrounding white space. Raises SecretUnreadable."""
        try:
            stat = path.stat()
            stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            known = self._known.get(path)
            if known is None or known[0] != stamp:
                known = self._known[path] = (stamp, path.read_bytes().strip())
        except OSError as error:
            raise SecretUnreadable(f"{path.name}: {error.strerror}") from error
        if not known[1]:
            raise SecretUnreadable(f"{path.name}: empty")
        return known[1]

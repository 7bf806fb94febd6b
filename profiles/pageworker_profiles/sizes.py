"""The size of a folder, and its default limit."""

import sys
from typing import NamedTuple


class FolderSize(NamedTuple):
    """Number of files and folders below it, and the bytes that they use on disk."""

    files: int
    bytes: int


MOST = FolderSize(500_000, sys.maxsize)
"""The limit if the caller sets none."""

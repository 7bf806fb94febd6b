"""How large a folder is, and may be."""

import sys
from typing import NamedTuple


class FolderSize(NamedTuple):
    """Files and folders below it, and the bytes that they take on disk."""

    files: int
    bytes: int


MOST = FolderSize(500_000, sys.maxsize)
"""Where nobody says less."""

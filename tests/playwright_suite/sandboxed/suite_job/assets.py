"""The suite's assets, read from the bundle in memory: a job has no files."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePath
from typing import IO, Any

TESTS = f"{__package__.rpartition('.')[0]}.tests"
ASSETS: Traversable = files(TESTS) / "assets"


def open_asset(path: Any, mode: str = "r", **options: Any) -> IO[Any]:
    """In place of `open` in the suite's files."""
    return (
        path.open(mode, **options)
        if hasattr(path, "open") and not isinstance(path, PurePath)
        else open(path, mode, **options)
    )

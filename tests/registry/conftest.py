"""A registry in a folder, an author, and a clock that tests set."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pw_modules.author import Author
from pw_modules.clock import Clock
from pw_modules.serving import ObjectServer, object_server


@pytest.fixture(scope="session")
def author() -> Author:
    return Author()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Folder of the registry."""
    return tmp_path / "registry"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Folder of the worker's registry cache."""
    return tmp_path / "state"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server() -> Iterator[ObjectServer]:
    with object_server() as running:
        yield running

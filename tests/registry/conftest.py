"""A registry in a folder, an author, a clock that is set by hand."""

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
    """Where the registry is."""
    return tmp_path / "registry"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Where the worker keeps what it knows of it."""
    return tmp_path / "state"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server() -> Iterator[ObjectServer]:
    with object_server() as running:
        yield running

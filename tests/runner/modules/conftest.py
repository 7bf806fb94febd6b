"""A catalog that leaves nothing in this process."""

import sys
from collections.abc import Iterator

import pytest

from pageworker_runner.modules.catalog import Catalog
from pageworker_runner.modules.importer import ROOT


@pytest.fixture
def catalog() -> Iterator[Catalog]:
    before = list(sys.meta_path)
    yield Catalog()
    sys.meta_path[:] = before
    for name in [name for name in sys.modules if name.split(".")[0] == ROOT]:
        del sys.modules[name]

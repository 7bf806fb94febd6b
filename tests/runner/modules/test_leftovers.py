"""Python's own caches do not keep what an unloaded bundle held."""

import linecache
import logging
import weakref

import pytest
from pw_runner.bundles import Packed, pack
from pw_runner.catalogs import add, call

from pageworker_runner.errors import ModuleBroken
from pageworker_runner.modules.catalog import Catalog
from pageworker_runner.modules.importer import ROOT

HOLDS = """
import logging
from typing import Generic, Optional, TypeVar

log = logging.getLogger(__name__)
log.addHandler(logging.StreamHandler())
T = TypeVar("T")


class Row:
    def same(self) -> "Row":
        return ROW


class Table(Generic[T]):
    pass


ROW = Row()
log.row = ROW
MAYBE = Optional[Row]
ROWS = Table[Row]


async def handler(page, payload, helpers, context):
    return ROW
"""


def holds(version: str) -> Packed:
    return pack({"shop/__init__.py": HOLDS}, version=version, entrypoint="shop:handler")


def test_an_unloaded_version_leaves_no_global_and_no_logger(catalog: Catalog) -> None:
    one, two = holds("1.0.0"), holds("2.0.0")
    for module in (one, two):
        add(catalog, module)
    first, second = (weakref.ref(call(catalog, module)) for module in (one, two))
    catalog.forget(one.name, one.version)
    assert first() is None
    assert second() is not None, "the other one is still loaded"
    loggers = [name for name in logging.root.manager.loggerDict if name.startswith(f"{ROOT}.")]
    assert [name.split(".")[1].partition("__")[2][:5] for name in loggers if name.count(".") == 2] == ["2_0_0"]


def test_the_source_that_a_traceback_has_read_goes_too(catalog: Catalog) -> None:
    broken = pack({"shop.py": "raise ValueError('no')\n"}, entrypoint="shop:handler")
    add(catalog, broken)
    with pytest.raises(ModuleBroken):
        call(catalog, broken)
    linecache.getlines(__file__)
    catalog.forget(broken.name, broken.version)
    assert linecache.cache == {}

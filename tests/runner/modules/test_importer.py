"""Bundles imported from memory under versioned names."""

import asyncio
import inspect
import sys
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from pw_runner.bundles import Packed, pack

from pageworker_runner.errors import ModuleBroken
from pageworker_runner.modules.catalog import Catalog
from pageworker_runner.modules.importer import ROOT, versioned_name


@pytest.fixture
def catalog() -> Iterator[Catalog]:
    before = list(sys.meta_path)
    yield Catalog()
    sys.meta_path[:] = before
    for name in [name for name in sys.modules if name.split(".")[0] == ROOT]:
        del sys.modules[name]


def give(catalog: Catalog, module: Packed) -> None:
    catalog.add(module.name, module.version, module.sha256, module.entrypoint, module.data)


def call(catalog: Catalog, module: Packed) -> Any:
    claimed = catalog.claim(module.name, module.version)
    try:
        return asyncio.run(_call(catalog.load(claimed).handler))
    finally:
        catalog.release(claimed)


async def _call(handler: Any) -> Any:
    return await handler(None, {}, None, None)


def shop(version: str) -> Packed:
    """Every way in which a package imports itself, and a state of its own."""
    return pack(
        {
            "module.toml": "",
            "shop/__init__.py": f"""
                import shop.prices
                import shop.deep.er as er
                from shop import prices as again
                from . import state
                from .state import seen as relative
                from importlib.resources import files

                VERSION = {version!r}

                async def handler(page, payload, helpers, context):
                    import shop.late
                    shop.prices.seen.append(VERSION)
                    resource = files(__package__).joinpath("data/list.txt").read_text()
                    deep = (files(__package__) / "data" / "list.txt").read_bytes()
                    return [shop.prices is again, er.NAME, relative is state.seen, shop.late.WHO(),
                            list(shop.prices.seen), resource, len(deep), __name__]
            """,
            "shop/prices.py": "from shop.state import seen\n",
            "shop/state.py": "seen = []\n",
            "shop/late.py": "import dataclasses, shop\n@dataclasses.dataclass\nclass P:\n    v: str\n"
            "def WHO():\n    return P(shop.VERSION).v\n",
            "shop/deep/er.py": "NAME = __name__.rpartition('.')[2]\n",
            "shop/data/list.txt": "chair",
        },
        version=version,
        entrypoint="shop:handler",
    )


def test_two_versions_live_side_by_side_without_sharing_state(catalog: Catalog) -> None:
    one, two = shop("1.0.0"), shop("2.0.0")
    give(catalog, one)
    give(catalog, two)
    first, second, third = call(catalog, one), call(catalog, two), call(catalog, one)
    assert first[:4] == [True, "er", True, "1.0.0"]
    assert (first[4], second[4], third[4]) == (["1.0.0"], ["2.0.0"], ["1.0.0", "1.0.0"])
    assert first[5:7] == ["chair", 5]
    assert first[7] == f"{versioned_name('shop.product', '1.0.0', one.sha256)}.shop"


def test_nothing_is_importable_under_its_plain_name_or_by_path(catalog: Catalog) -> None:
    path = list(sys.path)
    give(catalog, shop("1.0.0"))
    call(catalog, shop("1.0.0"))
    assert "shop" not in sys.modules
    assert sys.path == path


def test_a_forgotten_version_goes_with_the_last_attempt_that_claimed_it(catalog: Catalog) -> None:
    module = shop("1.0.0")
    give(catalog, module)
    package = versioned_name(module.name, module.version, module.sha256)
    claimed = catalog.claim(module.name, module.version)
    catalog.forget(module.name, module.version)
    catalog.load(claimed)
    assert f"{package}.shop" in sys.modules
    with pytest.raises(ModuleBroken, match="not sent"):
        call(catalog, module)
    give(catalog, module)
    assert call(catalog, module)[3] == "1.0.0"
    catalog.release(claimed)
    assert f"{package}.shop" not in sys.modules
    assert call(catalog, module)[4] == ["1.0.0", "1.0.0"]


def test_a_version_that_no_attempt_uses_goes_at_once_with_all_that_it_held(catalog: Catalog) -> None:
    module = pack(
        {"a.py": "class Big:\n    pass\nBIG = Big()\nasync def handler(*_):\n    return BIG\n"}, entrypoint="a:handler"
    )
    give(catalog, module)
    big = weakref.ref(call(catalog, module))
    assert big() is not None
    catalog.forget(module.name, module.version)
    assert big() is None
    assert [name for name in sys.modules if name.startswith(f"{ROOT}.")] == []
    catalog.forget(module.name, module.version)


def test_a_version_that_broke_stays_broken_and_is_imported_once(catalog: Catalog) -> None:
    module = pack({"a.py": "import sys\nsys.tried = getattr(sys, 'tried', 0) + 1\n1 / 0"}, entrypoint="a:handler")
    give(catalog, module)
    for _ in range(2):
        with pytest.raises(ModuleBroken, match=r"shop.product@1.0.0: .*ZeroDivisionError.*a.py:3"):
            call(catalog, module)
    assert vars(sys).pop("tried") == 1


@pytest.mark.parametrize("data", [b"", b"PK\x05\x06 no zip", b"x" * 100])
def test_what_is_no_zip_is_broken(catalog: Catalog, data: bytes) -> None:
    module = Packed("a", "1.0.0", "a:handler", data)
    give(catalog, module)
    with pytest.raises(ModuleBroken):
        call(catalog, module)


def test_the_standard_library_is_not_shadowed_by_a_bundle_for_others(catalog: Catalog) -> None:
    module = pack(
        {"json.py": "MINE = True", "a.py": "import json, inspect\nasync def handler(*_):\n    return json.MINE\n"},
        entrypoint="a:handler",
    )
    give(catalog, module)
    assert call(catalog, module)
    assert not hasattr(sys.modules["json"], "MINE")
    assert inspect is sys.modules["inspect"]

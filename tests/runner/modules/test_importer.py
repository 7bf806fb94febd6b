"""Bundles imported from memory below a package that carries their version."""

import inspect
import sys

from pw_runner.bundles import Packed, pack
from pw_runner.catalogs import add, call

from pageworker_runner.modules.catalog import Catalog
from pageworker_runner.modules.importer import versioned_name


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
    add(catalog, one)
    add(catalog, two)
    first, second, third = call(catalog, one), call(catalog, two), call(catalog, one)
    assert first[:4] == [True, "er", True, "1.0.0"]
    assert (first[4], second[4], third[4]) == (["1.0.0"], ["2.0.0"], ["1.0.0", "1.0.0"])
    assert first[5:7] == ["chair", 5]
    assert first[7] == f"{versioned_name('shop.product', '1.0.0', one.sha256)}.shop"


def test_nothing_is_importable_under_its_plain_name_or_by_path(catalog: Catalog) -> None:
    path = list(sys.path)
    add(catalog, shop("1.0.0"))
    call(catalog, shop("1.0.0"))
    assert "shop" not in sys.modules
    assert sys.path == path


def test_the_standard_library_is_not_shadowed_by_a_bundle_for_others(catalog: Catalog) -> None:
    module = pack(
        {"json.py": "MINE = True", "a.py": "import json, inspect\nasync def handler(*_):\n    return json.MINE\n"},
        entrypoint="a:handler",
    )
    add(catalog, module)
    assert call(catalog, module)
    assert not hasattr(sys.modules["json"], "MINE")
    assert inspect is sys.modules["inspect"]


def test_dependencies_import_each_other_and_are_each_versions_own(catalog: Catalog) -> None:
    def module(version: str, words: str) -> Packed:
        files = {
            "shop.py": """
                import acme_text.deep
                async def handler(*_):
                    return [acme_text.deep.WORDS, acme_text.deep.__file__]
            """,
            "vendored/acme_text/__init__.py": "from acme_words import WORDS\n",
            "vendored/acme_text/deep.py": "from . import WORDS\n",
            "vendored/acme_words.py": f"WORDS = [{words!r}]\n",
        }
        return pack(files, version=version, entrypoint="shop:handler")

    one, two = module("1.0.0", "a"), module("2.0.0", "b")
    add(catalog, one)
    add(catalog, two)
    assert call(catalog, one) == [["a"], "shop.product@1.0.0/vendored/acme_text/deep.py"]
    assert call(catalog, two)[0] == ["b"]
    assert "acme_words" not in sys.modules

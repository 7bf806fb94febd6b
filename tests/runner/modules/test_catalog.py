"""The versions of a runner: imported for their first attempt, kept while an attempt claims them, then unloaded."""

import sys
import weakref

import pytest
from pw_runner.bundles import Packed, pack
from pw_runner.catalogs import add, call

from pageworker.deprecations import Deprecation
from pageworker_runner.errors import ModuleBroken
from pageworker_runner.modules.catalog import Catalog
from pageworker_runner.modules.importer import ROOT, versioned_name

COUNTS = "calls = []\nasync def handler(*_):\n    calls.append(1)\n    return len(calls)\n"


def counts(version: str = "1.0.0", more: str = "") -> Packed:
    """A module that counts its calls."""
    return pack({"a.py": COUNTS + more}, version=version, entrypoint="a:handler")


def package_of(module: Packed) -> str:
    return versioned_name(module.name, module.version, module.sha256)


def test_a_version_keeps_its_state_from_attempt_to_attempt_and_is_not_replaced_by_itself(catalog: Catalog) -> None:
    module = counts()
    add(catalog, module)
    assert call(catalog, module) == 1
    add(catalog, module)
    assert call(catalog, module) == 2


def test_files_of_a_version_are_read_while_it_is_here(catalog: Catalog) -> None:
    module = pack({"a.py": COUNTS, "a/orders.csv": b"a,b"}, entrypoint="a:handler")
    add(catalog, module)
    assert catalog.read_file("shop.product@1.0.0/a/orders.csv") == b"a,b"
    for missing in (
        "shop.product@1.0.0/a",
        "shop.product@1.0.0",
        "shop.product@2.0.0/a/orders.csv",
        "a/orders.csv",
        "",
    ):
        assert catalog.read_file(missing) is None
    catalog.forget("shop.product", "1.0.0")
    assert catalog.read_file("shop.product@1.0.0/a/orders.csv") is None


@pytest.mark.parametrize(
    ("source", "asks"),
    [
        ("async def look(page):\n    return await page.requests()\n", True),
        ("look = lambda page: getattr(page, 'requests')()\n", True),
        ("look = lambda page: page.request.get('/requests')\n", False),
        ("# Sends few requests.\n", False),
    ],
)
def test_a_call_for_the_requests_of_a_page_is_seen_in_any_file(catalog: Catalog, source: str, asks: bool) -> None:
    module = pack({"a.py": COUNTS, "b/c.py": source, "b/c.txt": ".requests"}, entrypoint="a:handler")
    add(catalog, module)
    held = catalog.hold(module.name, module.version)
    catalog.load(held)
    assert held.asks_for_requests is asks


def test_a_folder_of_a_version_is_listed_while_it_is_here(catalog: Catalog) -> None:
    files: dict[str, str | bytes] = {"a.py": COUNTS, "a/b.csv": b"", "a/sub/c.csv": b"", "ab/d.csv": b""}
    add(catalog, pack(files, entrypoint="a:handler"))
    label = "shop.product@1.0.0"
    assert catalog.list_folder(f"{label}/a") == [f"{label}/a/b.csv", f"{label}/a/sub/c.csv"]
    assert f"{label}/a.py" in catalog.list_folder(label)
    for missing in (f"{label}/a.py", f"{label}/none", "shop.product@2.0.0/a", "a", ""):
        assert catalog.list_folder(missing) == []
    catalog.forget("shop.product", "1.0.0")
    assert catalog.list_folder(f"{label}/a") == []


def test_nothing_is_imported_before_the_first_attempt(catalog: Catalog) -> None:
    module = counts()
    add(catalog, module)
    assert f"{package_of(module)}.a" not in sys.modules
    call(catalog, module)
    assert f"{package_of(module)}.a" in sys.modules


def test_a_forgotten_version_goes_with_the_last_attempt_that_claimed_it(catalog: Catalog) -> None:
    module = counts()
    add(catalog, module)
    first, second = (catalog.hold(module.name, module.version) for _ in range(2))
    catalog.forget(module.name, module.version)
    catalog.load(first)
    catalog.release(first)
    assert f"{package_of(module)}.a" in sys.modules
    catalog.release(second)
    assert [name for name in sys.modules if name.startswith(f"{ROOT}.")] == []


def test_a_version_that_is_sent_again_is_a_new_one_beside_the_forgotten_one(catalog: Catalog) -> None:
    module = counts()
    add(catalog, module)
    assert call(catalog, module) == 1
    claimed = catalog.hold(module.name, module.version)
    catalog.forget(module.name, module.version)
    with pytest.raises(ModuleBroken, match=r"shop.product@1.0.0 was not sent to this runner"):
        call(catalog, module)
    add(catalog, module)
    assert call(catalog, module) == 1
    catalog.release(claimed)
    assert call(catalog, module) == 2


def test_other_bytes_of_the_same_version_replace_it(catalog: Catalog) -> None:
    add(catalog, counts())
    assert call(catalog, counts()) == 1
    changed = counts(more="# changed\n")
    add(catalog, changed)
    assert call(catalog, changed) == 1
    assert f"{package_of(counts())}.a" not in sys.modules


def test_a_version_that_no_attempt_uses_goes_at_once_with_all_that_it_held(catalog: Catalog) -> None:
    source = "class Big:\n    pass\nBIG = Big()\nasync def handler(*_):\n    return BIG\n"
    module = pack({"a.py": source}, entrypoint="a:handler")
    add(catalog, module)
    big = weakref.ref(call(catalog, module))
    assert big() is not None
    catalog.forget(module.name, module.version)
    assert big() is None
    assert [name for name in sys.modules if name.startswith(f"{ROOT}.")] == []
    catalog.forget(module.name, module.version)


def test_a_version_that_broke_stays_broken_and_is_imported_once(catalog: Catalog) -> None:
    module = pack({"a.py": "import sys\nsys.tried = getattr(sys, 'tried', 0) + 1\n1 / 0"}, entrypoint="a:handler")
    add(catalog, module)
    for _ in range(2):
        with pytest.raises(ModuleBroken, match=r"shop.product@1.0.0: .*ZeroDivisionError.*a.py:3"):
            call(catalog, module)
    assert vars(sys).pop("tried") == 1


def test_a_broken_bundle_is_reported_by_the_attempt_that_uses_it(catalog: Catalog) -> None:
    module = Packed("a", "1.0.0", "a:handler", b"no zip")
    add(catalog, module)
    with pytest.raises(ModuleBroken, match=r"a@1.0.0: the bundle is not a zip file"):
        call(catalog, module)


def test_lines_with_deprecated_names_are_known_once_a_version_is_imported(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = pack({"a.py": COUNTS, "b.py": "import x\nx.Failed()\n"}, entrypoint="a:handler")
    add(catalog, module)
    held = catalog.hold(module.name, module.version)
    catalog.load(held)
    assert held.deprecated == []
    monkeypatch.setattr("pageworker_runner.modules.catalog.DEPRECATED", (Deprecation("Failed", "1.2.0", "use `x`"),))
    other = pack({"a.py": COUNTS, "b.py": "import x\nx.Failed()\n"}, version="1.0.1", entrypoint="a:handler")
    add(catalog, other)
    held = catalog.hold(other.name, other.version)
    catalog.load(held)
    assert held.deprecated == ["b.py:2: `Failed` is deprecated since SDK 1.2.0: use `x`"]

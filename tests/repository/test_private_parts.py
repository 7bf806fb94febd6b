"""Playwright's private parts are used in one package, which checks that they exist."""

import ast
from pathlib import Path

import pytest

from repository.sources import ROOT, imported, relative, tree, zone_files

ALLOWED = ROOT / "runner/pageworker_runner/pages/playwright_internals"
OWN = frozenset({"self", "cls"})
STANDARD_LIBRARY = frozenset({"os._exit", "typing._cleanups"})


def private_parts(file: Path) -> list[str]:
    """Imports from `playwright._…`, and private attributes of objects that are not the file's own."""
    module = tree(file)
    attributes = [node for node in ast.walk(module) if isinstance(node, ast.Attribute)]
    own = {node.attr for node in attributes if isinstance(node.ctx, ast.Store) and ast.unparse(node.value) in OWN}
    found = [name for name in sorted(imported(module)) if name.startswith("playwright._")]
    for node in attributes:
        if node.attr.startswith("_") and not node.attr.startswith("__") and node.attr not in own:
            owner = ast.unparse(node.value)
            if owner not in OWN and f"{owner}.{node.attr}" not in STANDARD_LIBRARY:
                found.append(f"{owner}.{node.attr}")
    return found


@pytest.mark.parametrize(
    "file",
    [file for file in zone_files() if file.is_relative_to(ROOT / "runner") and not file.is_relative_to(ALLOWED)],
    ids=relative,
)
def test_no_other_file_uses_a_private_part(file: Path) -> None:
    assert private_parts(file) == []


def test_the_one_package_uses_them() -> None:
    used = [part for file in zone_files() if file.is_relative_to(ALLOWED) for part in private_parts(file)]
    assert "page._impl_obj" in used
    assert "playwright._impl.page" in used


def test_only_two_files_name_the_drivers_files() -> None:
    naming = {
        relative(file)
        for file in zone_files()
        if "driver/package" in file.read_text() or '"driver"' in file.read_text()
    }
    assert naming == {relative(ALLOWED / "driver_files.py"), "sandbox/pageworker_sandbox/launch/packages.py"}

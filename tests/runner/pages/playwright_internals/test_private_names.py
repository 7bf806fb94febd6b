"""The table has every private name that the package uses."""

import ast
from pathlib import Path

import pytest

from pageworker_runner.pages import playwright_internals
from pageworker_runner.pages.playwright_internals.private_names import PRIVATE_NAMES

FILES = sorted(Path(playwright_internals.__path__[0]).glob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_private_name_that_a_file_uses_is_in_the_table(file: Path) -> None:
    named = {name for names in PRIVATE_NAMES.values() for name in names}
    used = {
        node.attr
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__")
    }
    assert used - named == set()

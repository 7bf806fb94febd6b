"""The reference of the SDK is that of its docstrings."""

import ast
import inspect
import re

import pytest
from repository.sources import ROOT

import pageworker
from pageworker_supervisor.sdk_reference import exported, reference, sdk_folder, version_of

PAGE = (ROOT / "docs" / "sdk-reference.md").read_text()


def test_the_page_is_current() -> None:
    command = "python -m pageworker_supervisor.sdk_reference > docs/sdk-reference.md"
    assert reference(sdk_folder()) == PAGE, f"run: {command}"


def test_every_name_that_a_module_may_import_is_there() -> None:
    assert set(exported(sdk_folder())) == set(pageworker.__all__)
    for name in pageworker.__all__:
        assert f"`{name}" in PAGE or f"raise {name}(" in PAGE, name
    assert version_of(sdk_folder()) == pageworker.__version__


@pytest.mark.parametrize("name", [name for name in vars(pageworker.Helpers) if not name.startswith("_")])
def test_every_helper_has_its_signature_and_its_text(name: str) -> None:
    helper = getattr(pageworker.Helpers, name)
    headings = [line for line in PAGE.splitlines() if re.match(rf"### `(await )?{name}\(", line)]
    if inspect.isfunction(helper):
        assert all(each in headings[0] for each in list(inspect.signature(helper).parameters)[1:])
    assert (inspect.getdoc(helper) or "").splitlines()[0] in PAGE


def test_the_generator_reads_sources_only() -> None:
    """Else a supervisor would import Playwright for it."""
    source = (ROOT / "supervisor/pageworker_supervisor/sdk_reference.py").read_text()
    names = {node.module for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)}
    assert not {name for name in names if name and name.startswith("pageworker")}

"""The code that a sandbox gets: complete, or its program ends with ModuleNotFoundError as soon as it starts."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from pageworker_sandbox.launch import packages
from pageworker_sandbox.launch.packages import GATEWAY_CODE, RUNNER_CODE, SHARED_CODE

ROOT = Path(__file__).parents[2]
ZONES = {"pageworker_sandbox": ROOT / "sandbox", "pageworker_runner": ROOT / "runner", "pageworker": ROOT / "runner"}


def files_of(names: tuple[str, ...]) -> Iterator[Path]:
    for name in (*names, *SHARED_CODE):
        path = ZONES[name.partition("/")[0]] / name
        yield from [path] if path.is_file() else sorted(path.rglob("*.py"))


def imports_of(file: Path) -> Iterator[str]:
    """What of ours a file imports when it is imported: `package.module`, dotted."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.startswith("pageworker"))
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("pageworker"):
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


@pytest.mark.parametrize("names", [RUNNER_CODE, GATEWAY_CODE], ids=["runner", "gateway"])
def test_whatever_the_code_inside_imports_is_inside(names: tuple[str, ...]) -> None:
    inside = set(files_of(names))
    for file in inside:
        for dotted in imports_of(file):
            package = dotted.partition(".")[0]
            path = ZONES.get(package, ROOT / "supervisor") / dotted.replace(".", "/")
            needed = [each for each in (path.with_suffix(".py"), path / "__init__.py") if each.is_file()]
            assert inside >= set(needed), f"{file.relative_to(ROOT)} imports {dotted}"


def test_every_part_that_is_named_is_installed() -> None:
    for names in (RUNNER_CODE, GATEWAY_CODE):
        assert isinstance(packages.code(names), list)
